//! Fetching that is killed, and fetching by several at once.

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    command::{run, runner},
    compressed::gzip,
    experiment::{Experiment, Figures, Plan, Protection},
    published::{Published, index},
    random::Random,
    server::{self, Server},
};

const PROTECTIONS: &[Protection] = &[
    Protection {
        what: "temporaries, renamed when they are whole, right and on disk (`data::fetch::store`)",
        test: "data fetch::store::tests::wrong_bytes_leave_nothing_behind",
    },
    Protection {
        what: "temporaries of the dead are removed (`data::fetch::store`)",
        test: "data fetch::store::tests::temporaries_of_killed_processes_are_removed",
    },
];

pub(crate) const KILLS: Experiment = Experiment {
    name: "fetch-kills",
    row: 9,
    what: "`kill -9` of `runner data fetch` at a random moment of download and decompression, then a second run",
    pass: "only right files have a final name after the kill; the second run succeeds; all hashes right; no temporaries",
    tries: 50,
    quick: 3,
    protections: PROTECTIONS,
    run: kills,
};

pub(crate) const TOGETHER: Experiment = Experiment {
    name: "fetch-together",
    row: 9,
    what: "four `runner data fetch` started together on an empty cache",
    pass: "all four succeed; every file is downloaded once; all hashes right; no temporaries",
    tries: 20,
    quick: 1,
    protections: &[Protection {
        what: "one process at a time fetches into a cache folder (`data::fetch::store`)",
        test: "data fetch::runs_that_start_together_share_one_download",
    }],
    run: together,
};

const DEADLINE: Duration = Duration::from_mins(2);
/// Compressed bytes sent at a time, and the pause after each: a download takes about a second.
const PIECE: usize = 1 << 19;
const PAUSE: Duration = Duration::from_millis(12);

/// The files, compressed.
type Compressed = Arc<Vec<Vec<u8>>>;

fn compressed(published: &Published) -> Compressed {
    Arc::new(published.files.iter().map(|file| gzip(file)).collect())
}

/// A server that sends every file compressed, and not too fast.
fn slow_server(published: &Published, files: &Compressed) -> Server {
    let (info, files) = (published.info, Arc::clone(files));
    Server::start(move |path, stream| {
        let Some(index) = index(info, path) else { return };
        server::head(stream, "200 OK", &[&format!("content-length: {}", files[index].len())]);
        for piece in files[index].chunks(PIECE) {
            if !server::send(stream, piece) {
                break;
            }
            thread::sleep(PAUSE);
        }
        // The client is gone if this fails, and then nobody waits for it.
        let _ = stream.flush();
    })
}

fn home(plan: &Plan, name: &str) -> Result<PathBuf, String> {
    let home = plan.folder().join(name);
    fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    Ok(home)
}

fn remove(home: &PathBuf) -> Result<(), String> {
    fs::remove_dir_all(home).map_err(|error| format!("{}: {error}", home.display()))
}

fn arguments<'a>(published: &Published, url: &'a str) -> [&'a str; 6] {
    ["data", "fetch", published.info.name, "--progress=none", "--mirror", url]
}

fn kills(plan: &Plan) -> Result<Figures, String> {
    let published = Published::new()?;
    let server = slow_server(&published, &compressed(&published));
    let url = server.url();
    let mut random = Random::new(plan.seed);
    let mut figures = Figures::default();

    let whole = home(plan, "whole")?;
    let outcome = run(&mut runner(plan, &whole, &arguments(&published, &url)), DEADLINE)?;
    outcome.expect(0, "")?;
    published.check_complete(&whole)?;
    remove(&whole)?;

    let (mut early, mut between) = (0, 0);
    for index in 0..plan.tries {
        let home = home(plan, &format!("home{index}"))?;
        let moment = outcome.elapsed * u32::try_from(random.below(1_000)).expect("a small number") / 1_000;
        figures.count(
            (|| {
                let mut command = runner(plan, &home, &arguments(&published, &url));
                let mut child = command
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .map_err(|error| format!("cannot start: {error}"))?;
                thread::sleep(moment);
                // SIGKILL; a process that has ended by itself is no failure.
                let _ = child.kill();
                let status = child.wait().map_err(|error| format!("cannot wait: {error}"))?;
                early += u64::from(status.code().is_none());
                let finished = published.check_finished(&home)?;
                between += u64::from(finished > 0 && finished < 4);
                let second = run(&mut runner(plan, &home, &arguments(&published, &url)), DEADLINE)?;
                second.expect(0, "")?;
                published.check_complete(&home)
            })()
            .map_err(|what: String| format!("killed after {} ms: {what}", moment.as_millis())),
        );
        remove(&home)?;
    }
    figures.notes = vec![format!("{early} killed before they ended, {between} of them with some files done")];
    Ok(figures)
}

fn together(plan: &Plan) -> Result<Figures, String> {
    const RUNS: usize = 4;
    let published = Published::new()?;
    let files = compressed(&published);
    let mut figures = Figures::default();
    let start = Instant::now();
    for index in 0..plan.tries {
        let server = slow_server(&published, &files);
        let url = server.url();
        let home = home(plan, &format!("home{index}"))?;
        let outcomes: Vec<Result<(), String>> = thread::scope(|scope| {
            let fetch = || run(&mut runner(plan, &home, &arguments(&published, &url)), DEADLINE)?.expect(0, "");
            let threads: Vec<_> = (0..RUNS).map(|_| scope.spawn(fetch)).collect();
            threads.into_iter().map(|it| it.join().expect("no panic")).collect()
        });
        figures.count((|| {
            outcomes.into_iter().collect::<Result<(), String>>()?;
            if server.requests() != 4 {
                return Err(format!("expected 4 requests, found {}", server.requests()));
            }
            published.check_complete(&home)
        })());
        remove(&home)?;
    }
    let each = start.elapsed() / u32::try_from(plan.tries.max(1)).map_err(|error| error.to_string())?;
    figures.notes = vec![format!("{:.1} s for four", each.as_secs_f64())];
    Ok(figures)
}
