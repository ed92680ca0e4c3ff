//! Fetching that is killed, and fetching by several at once.

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    command::{killed, run, runner},
    compressed::gzip,
    experiment::{Experiment, Figures, Plan},
    published::{Published, index},
    random::Random,
    server::{self, Server},
};

pub(crate) const KILLS: Experiment = Experiment {
    name: "fetch-kills",
    row: 9,
    what: "`kill -9` of `runner data fetch` at a random moment of download and decompression, then a second run",
    pass: "only right files have a final name after the kill; the second run succeeds; all hashes right; no temporaries",
    tries: 50,
    quick: 3,
    run: kills,
};

pub(crate) const TOGETHER: Experiment = Experiment {
    name: "fetch-together",
    row: 9,
    what: "four `runner data fetch` started together on an empty cache",
    pass: "all four succeed; every file is downloaded once; all hashes right; no temporaries",
    tries: 20,
    quick: 1,
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

    let good = published.server();
    let mut whole = DEADLINE;
    for name in ["warm", "whole"] {
        let home = home(plan, name)?;
        let outcome = run(&mut runner(plan, &home, &arguments(&published, &url)), DEADLINE)?;
        outcome.expect(0, "")?;
        published.check_complete(&home)?;
        whole = whole.min(outcome.elapsed);
        remove(&home)?;
    }

    let (mut late, mut between) = (0, 0);
    for index in 0..plan.tries {
        let home = home(plan, &format!("home{index}"))?;
        let mut moment = random.moment(whole);
        // One that comes too late is drawn again, from a time that is shorter than was thought.
        while !killed(&mut runner(plan, &home, &arguments(&published, &url)), moment)? {
            late += 1;
            whole = whole.min(moment);
            moment = random.moment(whole);
            remove(&home)?;
            fs::create_dir(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        }
        figures.count(
            (|| {
                let finished = published.check_finished(&home)?;
                between += u64::from(finished > 0 && finished < 4);
                let second = run(&mut runner(plan, &home, &arguments(&published, &good.url())), DEADLINE)?;
                second.expect(0, "")?;
                published.check_complete(&home)
            })()
            .map_err(|what: String| format!("killed after {} ms: {what}", moment.as_millis())),
        );
        remove(&home)?;
    }
    let tries = plan.tries;
    figures.notes = vec![
        format!("all {tries} killed alive, {between} of them with some files done"),
        format!("{late} moments came too late and were drawn again"),
    ];
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
