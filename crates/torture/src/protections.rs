//! What protects: every check, cap, lock and hash that an experiment leans on, and the test that fails without it.
//!
//! For each, the protection has been taken away by an edit and its test, or the quick version of the experiment that the
//! test runs, seen to fail; `without` says how. To do that again: make the edit, run `cargo test --release NAME`.

/// Something that could be taken away.
#[derive(Debug)]
pub struct Protection {
    /// The row of the contract that it belongs to.
    pub row: u8,
    /// What protects.
    pub what: &'static str,
    /// The module that it lives in.
    pub place: &'static str,
    /// The file of the test, below `crates`.
    pub file: &'static str,
    /// The test.
    pub test: &'static str,
    /// How it was taken away when the test was seen to fail.
    pub without: &'static str,
}

const fn protection(
    (row, what, place): (u8, &'static str, &'static str),
    (file, test): (&'static str, &'static str),
    without: &'static str,
) -> Protection {
    Protection { row, what, place, file, test, without }
}

const FETCH: &str = "data/tests/fetch.rs";
const STORE: &str = "data/src/fetch/store.rs";
const LOCATE: &str = "data/tests/locate.rs";
const IDX: &str = "data/tests/idx.rs";
const LOADER: &str = "data/tests/loader.rs";
const WEIGHTS: &str = "models/tests/it/weights.rs";
const PTH: &str = "models/tests/it/pth.rs";
const THREADS: &str = "kernels/tests/threads.rs";
const BAD_INPUT: &str = "runner/src/experiment/tests/bad_input.rs";
const CHECKPOINTS: &str = "runner/src/run_dir/checkpoints.rs";
const METRICS_LOG: &str = "runner/src/run_dir/metrics_log.rs";
const LOCK: &str = "runner/src/run_dir/lock.rs";
const CREATE: &str = "runner/src/run_dir/create.rs";
const OPTIMIZER: &str = "runner/src/optimizer/state.rs";
const RESUME: &str = "runner/tests/cli/resume.rs";
const FAILURES: &str = "runner/tests/cli/failures.rs";
const RUNS: &str = "runner/tests/cli/runs.rs";
const RELIABILITY: &str = "runner/tests/reliability/main.rs";

/// All of them, by row.
pub const PROTECTIONS: &[Protection] = &[
    protection(
        (1, "the optimizer's moments and step counters are restored", "runner::optimizer::state"),
        (OPTIMIZER, "every_optimizer_goes_on_with_the_same_bytes"),
        "counters start from zero",
    ),
    protection(
        (1, "dropout is seeded for each step from the run's seed and the step", "runner::train::epoch"),
        (RESUME, "every_step_is_a_place_to_go_on_from"),
        "the generator is seeded once",
    ),
    protection(
        (1, "the order of samples is a function of seed and epoch", "data::loader"),
        (LOADER, "every_epoch_has_its_own_order_and_every_sample_once"),
        "the order is drawn from the clock",
    ),
    protection(
        (1, "augmentation is a function of seed, epoch and sample", "data::augment"),
        ("data/src/augment.rs", "the_key_alone_decides"),
        "the draw is from the clock",
    ),
    protection(
        (1, "weights are stored with running statistics folded in", "models::weights"),
        (WEIGHTS, "pending_statistics_are_written"),
        "statistics that are pending are left out",
    ),
    protection(
        (1, "metrics are cut off at the checkpoint", "runner::run_dir::metrics_log"),
        (METRICS_LOG, "rows_after_the_mark_are_cut_off_and_the_header_stands_once"),
        "the file keeps its length",
    ),
    protection(
        (1, "metrics before the checkpoint are compared by SHA-256", "runner::run_dir::metrics_log"),
        (METRICS_LOG, "a_changed_row_is_found"),
        "lengths alone are compared",
    ),
    protection(
        (2, "a checkpoint is staged, and renamed when it is complete", "runner::run_dir::checkpoints"),
        (RELIABILITY, "runs_killed_at_a_write_go_on"),
        "files are written under the checkpoint's name",
    ),
    protection(
        (2, "what a dead owner was writing is swept", "runner::run_dir::checkpoints"),
        (CHECKPOINTS, "what_a_dead_process_left_is_swept_and_hinders_nobody"),
        "nothing is swept",
    ),
    protection(
        (3, "a checkpoint that cannot be written leaves those before it", "runner::run_dir::checkpoints"),
        (CHECKPOINTS, "a_checkpoint_that_cannot_be_written_leaves_the_one_before"),
        "older ones are removed first",
    ),
    protection(
        (3, "a failed write ends the run with the path", "runner::run_dir"),
        (RELIABILITY, "failing_disks_lose_nothing"),
        "a checkpoint's failure is passed over",
    ),
    protection(
        (4, "SHA-256 of every file of a checkpoint", "runner::run_dir::checkpoints"),
        (CHECKPOINTS, "every_flipped_bit_and_every_truncation_is_found"),
        "sums are not compared",
    ),
    protection(
        (4, "two checkpoints are kept", "runner::run_dir::checkpoints"),
        (CHECKPOINTS, "the_two_newest_are_kept_and_read_back"),
        "one is kept",
    ),
    protection(
        (4, "most bytes of a checkpoint's files", "runner::run_dir::checkpoints"),
        (CHECKPOINTS, "a_file_that_is_too_long_or_none_is_refused_unread"),
        "there is no limit",
    ),
    protection(
        (5, "a signal is noted and looked at between steps", "runner::interrupt"),
        (RELIABILITY, "signals_stop_a_run_cleanly"),
        "nobody looks",
    ),
    protection(
        (5, "a second signal ends the process", "runner::interrupt"),
        ("runner/src/interrupt.rs", "the_first_signal_is_noted_and_a_second_one_ends_the_process"),
        "the second is noted like the first",
    ),
    protection(
        (6, "a lock on the run directory that ends with its owner", "runner::run_dir::lock"),
        (LOCK, "a_second_owner_is_told_who_the_first_is"),
        "the file is not locked",
    ),
    protection(
        (6, "a name is claimed before data are looked for", "runner::run_dir::create"),
        (FAILURES, "a_name_that_somebody_holds_ends_with_75_before_data_are_looked_for"),
        "it is claimed when the run begins",
    ),
    protection(
        (6, "a claim that comes to nothing takes away what it made", "runner::run_dir::create"),
        (CREATE, "a_claim_that_comes_to_nothing_leaves_nothing"),
        "it leaves its folders",
    ),
    protection(
        (7, "a run of the same name is not started again", "runner::run_dir::create"),
        (RUNS, "a_named_run_is_never_overwritten"),
        "its directory is used",
    ),
    protection(
        (7, "configuration, program, data and machine are compared", "runner::provenance::Fingerprint"),
        (RELIABILITY, "changed_runs_are_refused"),
        "every change is accepted",
    ),
    protection(
        (8, "least bytes per second", "data::fetch::mirror"),
        (FETCH, "survives_servers_that_drip"),
        "any pace will do",
    ),
    protection(
        (8, "longest pause within an answer", "data::fetch::mirror"),
        (FETCH, "survives_servers_that_stop_in_the_middle"),
        "there is no limit",
    ),
    protection(
        (8, "time for the head of an answer", "data::fetch::mirror"),
        (FETCH, "survives_heads_that_drip"),
        "there is no limit",
    ),
    protection(
        (8, "time for a whole file", "data::fetch::mirror"),
        (FETCH, "a_file_has_a_deadline_however_steady_it_comes"),
        "there is no limit",
    ),
    protection(
        (8, "most bytes announced", "data::fetch::mirror"),
        (FETCH, "survives_huge_announcements"),
        "what is announced is not looked at",
    ),
    protection(
        (8, "most redirects", "data::fetch::mirror"),
        (FETCH, "survives_redirect_loops"),
        "a thousand are followed",
    ),
    protection(
        (8, "pages for people are no data", "data::fetch::mirror"),
        (FETCH, "survives_pages_for_people"),
        "the type is not looked at",
    ),
    protection(
        (8, "files get their name once they are whole and right", "data::fetch::store"),
        (STORE, "wrong_bytes_leave_nothing_behind"),
        "they are written under their name",
    ),
    protection(
        (9, "temporaries of the dead are removed", "data::fetch::store"),
        (STORE, "temporaries_of_killed_processes_are_removed"),
        "nothing is swept",
    ),
    protection(
        (9, "one process at a time fetches into a cache folder", "data::fetch::store"),
        (FETCH, "runs_that_start_together_share_one_download"),
        "the folder is not locked",
    ),
    protection(
        (10, "as many labels as images", "data::scan"),
        (LOCATE, "a_folder_of_unknown_data_must_be_consistent"),
        "counts are not compared",
    ),
    protection(
        (10, "labels below the number of classes", "data::scan"),
        (LOCATE, "a_folder_of_unknown_data_must_be_consistent"),
        "labels are not looked at",
    ),
    protection(
        (10, "only regular files are opened", "data::content"),
        (LOCATE, "pipes_are_not_waited_for"),
        "any file is opened: the test does not end",
    ),
    protection(
        (10, "a file that nobody vouches for is read through before memory is given for it", "data::folder"),
        (LOCATE, "a_gzip_bomb_is_cut_at_the_size_that_its_header_promises"),
        "it is read to its end",
    ),
    protection(
        (10, "most elements that a header may promise", "data::idx"),
        (IDX, "rejects_sizes_beyond_all_bounds_without_reserving_memory"),
        "there is no limit",
    ),
    protection(
        (10, "nothing may follow the last element", "data::idx"),
        (IDX, "an_endless_file_is_not_read_on"),
        "what follows is not looked at",
    ),
    protection(
        (10, "SHA-256 of the decompressed bytes", "data::content"),
        (FETCH, "survives_other_bytes"),
        "sums are not compared",
    ),
    protection(
        (10, "one byte past the published length is the last one decompressed", "data::content"),
        (FETCH, "survives_gzip_bombs"),
        "the stream is read to its end",
    ),
    protection(
        (11, "most bytes and most files of one experiment", "runner::experiment::extends"),
        (BAD_INPUT, "too_many_or_too_long_files_are_refused"),
        "there is no limit",
    ),
    protection(
        (11, "most values of a file, and most levels", "runner::experiment::parse"),
        (BAD_INPUT, "huge_files_are_refused_at_once"),
        "there is no limit",
    ),
    protection(
        (11, "most text and most problems in a message", "runner::experiment::error"),
        (BAD_INPUT, "messages_stay_short"),
        "there is no limit",
    ),
    protection(
        (11, "names are plain", "runner::experiment::document"),
        (BAD_INPUT, "values_out_of_range_say_the_range"),
        "names are not looked at",
    ),
    protection(
        (11, "numbers are finite", "runner::experiment::parse"),
        (BAD_INPUT, "values_out_of_range_say_the_range"),
        "every number is let through",
    ),
    protection(
        (11, "unknown keys are refused", "runner::experiment::de"),
        (BAD_INPUT, "unknown_keys_name_the_nearest_known_one"),
        "they are passed over",
    ),
    protection(
        (12, "most bytes of a header", "models::weights"),
        (WEIGHTS, "huge_headers_are_refused_unread"),
        "there is no limit",
    ),
    protection(
        (12, "tensors lie in the file and share no bytes", "models::weights::file"),
        (PTH, "headers_of_safetensors_that_lie_are_refused"),
        "places are not compared",
    ),
    protection(
        (12, "every tensor has its shape and type, and its numbers are finite", "models::weights"),
        (WEIGHTS, "spoilt_tensors_are_named"),
        "numbers are not looked at",
    ),
    protection(
        (12, "running variances are not negative", "models::weights"),
        (WEIGHTS, "negative_variances_are_refused"),
        "signs are not looked at",
    ),
    protection(
        (12, "only the names that a dictionary of tensors needs are understood", "models::weights::pth::object"),
        (PTH, "nothing_is_executed"),
        "any name is taken for a dictionary",
    ),
    protection(
        (12, "most items, bytes and levels of a pickle", "models::weights::pth::pickle"),
        (PTH, "bombs_end_in_time"),
        "items are not counted",
    ),
    protection(
        (12, "entries have their CRC-32", "models::weights::pth::zip"),
        (PTH, "archives_that_lie_are_refused"),
        "sums are not compared",
    ),
    protection(
        (13, "the loss of every step is checked", "runner::train::epoch"),
        (FAILURES, "a_loss_that_is_not_finite_ends_with_5_and_keeps_what_was_written"),
        "it is not looked at",
    ),
    protection(
        (13, "weights that are not finite are never written", "models::weights"),
        (WEIGHTS, "diverged_weights_are_not_written"),
        "numbers are not looked at",
    ),
    protection(
        (14, "batches come in order, whichever worker is first", "data::loader"),
        (LOADER, "the_number_of_workers_changes_nothing"),
        "the first to come is taken",
    ),
    protection(
        (14, "kernels add up in an order that no thread changes", "kernels::conv"),
        (THREADS, "conv_blocks_give_the_same_bytes_at_any_number_of_threads"),
        "the work is divided by the number of threads",
    ),
    protection(
        (15, "old checkpoints are removed", "runner::run_dir::checkpoints"),
        (CHECKPOINTS, "the_two_newest_are_kept_and_read_back"),
        "they stay",
    ),
    protection(
        (15, "a stopped run saves where it is", "runner::trip::saver"),
        (RELIABILITY, "a_run_resumed_over_and_over_is_the_same"),
        "it stops without saving",
    ),
];

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_named_test_exists() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for Protection { file, test, what, .. } in PROTECTIONS {
            let source = fs::read_to_string(crates.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            let is_there = source.contains(&format!("#[test]\nfn {test}()"))
                || source.contains(&format!("#[test]\n    fn {test}()"));
            assert!(is_there, "{file} has no test {test}, which is said to hold: {what}");
        }
    }

    #[test]
    fn protections_are_named_once_and_in_the_order_of_their_rows() {
        assert!(PROTECTIONS.is_sorted_by_key(|it| it.row));
        for (index, protection) in PROTECTIONS.iter().enumerate() {
            let Protection { what, place, without, .. } = protection;
            assert!(PROTECTIONS[..index].iter().all(|other| (other.what, other.place) != (*what, *place)), "{what}");
            assert!([what, place, without].iter().all(|it| !it.is_empty() && !it.contains(['|', '\n'])), "{what}");
        }
    }
}
