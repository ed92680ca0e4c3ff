//! A short version of every experiment of the reliability table; `runner-torture` runs them at full length.

use torture::{Plan, catalogue};

/// Runs the quick version of an experiment.
fn check(name: &str) {
    let experiment = catalogue::find(name).unwrap_or_else(|| panic!("no experiment is called {name}"));
    let plan = Plan::new(env!("CARGO_BIN_EXE_runner"), experiment.quick, 1).expect("a temporary folder");
    (experiment.run)(&plan).unwrap_or_else(|error| panic!("{error}")).assert_pass();
}

#[test]
fn killed_runs_go_on_to_the_same_results() {
    check("kills");
}

#[test]
fn runs_killed_at_a_write_go_on() {
    check("injected-kills");
}

#[test]
fn failing_disks_lose_nothing() {
    check("disk");
}

#[test]
fn damaged_checkpoints_are_found() {
    check("damage");
}

#[test]
fn signals_stop_a_run_cleanly() {
    check("signals");
}

#[test]
fn a_run_has_one_owner() {
    check("owners");
}

#[test]
fn changed_runs_are_refused() {
    check("refusals");
}

#[test]
fn diverging_runs_keep_no_nan() {
    check("divergence");
}

#[test]
fn threads_and_workers_change_nothing() {
    check("threads");
}

#[test]
fn many_epochs_need_no_more_than_few() {
    check("epochs");
}

#[test]
fn a_run_resumed_over_and_over_is_the_same() {
    check("resumes");
}

#[test]
fn downloads_from_bad_servers_fail_in_time_and_leave_nothing() {
    check("downloads");
}

#[test]
fn fetching_that_is_killed_is_finished_by_the_next_run() {
    check("fetch-kills");
}

#[test]
fn runs_that_fetch_together_share_one_download() {
    check("fetch-together");
}

#[test]
fn broken_data_files_are_refused() {
    check("data-files");
}

#[test]
fn broken_experiment_files_are_refused() {
    check("configs");
}

#[test]
fn hostile_weights_are_refused() {
    check("weights");
}

#[test]
fn hostile_weight_files_are_refused() {
    check("weight-files");
}

#[test]
fn mutated_idx_files_are_refused_or_right() {
    check("fuzz-idx");
}

#[test]
fn mutated_gzip_streams_are_refused_or_right() {
    check("fuzz-gzip");
}

#[test]
fn mutated_experiment_files_are_refused_or_right() {
    check("fuzz-toml");
}

#[test]
fn mutated_weights_are_refused_or_right() {
    check("fuzz-safetensors");
}

#[test]
fn mutated_files_of_pytorch_are_refused_or_right() {
    check("fuzz-pth");
}
