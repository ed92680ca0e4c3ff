//! Downloads from servers that lie, stall or never end.

use std::{fs, net::TcpStream, thread, time::Duration};

use crate::{
    command::{run, runner},
    compressed::{gzip, gzip_bomb},
    experiment::{Experiment, Figures, Plan},
    published::{Published, names},
    server::{Server, head, response, send},
};

pub(crate) const EXPERIMENT: Experiment = Experiment {
    name: "downloads",
    row: 8,
    what: "`runner data fetch` from servers on 127.0.0.1 that truncate, alter, drip, redirect, announce or send without \
           end, then from a good one",
    pass: "exit 3 with the reason within 30 s; memory below 256 MB; nothing under a final name; the good server then \
           succeeds without cleaning up",
    tries: 2 * SERVERS.len() as u64,
    quick: SERVERS.len() as u64,
    run: try_servers,
};

const MAX_BYTES: u64 = 256 << 20;
const DEADLINE: Duration = Duration::from_secs(30);
/// Servers tried at the same time: some take ten seconds of doing nothing.
const TOGETHER: usize = 6;

/// A server by its misdeed.
struct Misdeed {
    name: &'static str,
    /// What `runner` must say.
    said: &'static str,
    answer: fn(&Published, &str, &mut TcpStream),
}

const SERVERS: [Misdeed; 16] = [
    Misdeed {
        name: "truncates",
        said: "cannot read",
        answer: |published, _, stream| {
            let body = gzip(&published.files[1]);
            response(stream, "200 OK", "application/gzip", &body[..body.len() / 2]);
        },
    },
    Misdeed {
        name: "hangs up",
        said: "cannot read",
        answer: |published, _, stream| {
            head(stream, "200 OK", &["content-length: 9000000"]);
            send(stream, &published.files[0][..100_000]);
        },
    },
    Misdeed {
        name: "alters a byte",
        said: "expected SHA-256",
        answer: |published, _, stream| {
            let mut body = published.files[0].clone();
            body[20_000_000] ^= 1;
            response(stream, "200 OK", "application/gzip", &body);
        },
    },
    Misdeed {
        name: "sends a page",
        said: "found a page of type text/html",
        answer: |_, _, stream| response(stream, "200 OK", "text/html", b"<!DOCTYPE html><title>Log in</title>"),
    },
    Misdeed {
        name: "sends a page as data",
        said: "bytes, found 36",
        answer: |_, _, stream| response(stream, "200 OK", "application/gzip", b"<!DOCTYPE html><title>Log in</title>"),
    },
    Misdeed {
        name: "fails",
        said: "expected http status 200, found 500",
        answer: |_, _, stream| response(stream, "500 Internal Server Error", "text/plain", b"sorry"),
    },
    Misdeed {
        name: "redirects to itself",
        said: "redirect",
        answer: |_, path, stream| head(stream, "302 Found", &[&format!("location: {path}"), "content-length: 0"]),
    },
    Misdeed {
        name: "sends a byte per second",
        said: "bytes per second",
        answer: |published, _, stream| {
            head(stream, "200 OK", &["content-length: 9000000"]);
            drip(stream, &published.files[0]);
        },
    },
    Misdeed {
        name: "sends a byte of the head per second",
        said: "timeout",
        answer: |_, _, stream| drip(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n"),
    },
    Misdeed { name: "never answers", said: "timeout", answer: |_, _, _| thread::sleep(DEADLINE) },
    Misdeed {
        name: "sends a head without end",
        said: "header",
        answer: |_, _, stream| {
            send(stream, b"HTTP/1.1 200 OK\r\n");
            while send(stream, b"x-filler: 0123456789012345678901234567890123456789\r\n") {}
        },
    },
    Misdeed {
        name: "is about to answer without end",
        said: "train-images",
        answer: |_, _, stream| while send(stream, b"HTTP/1.1 100 Continue\r\n\r\n") {},
    },
    Misdeed {
        name: "sends a body without end",
        said: "bytes, found more",
        answer: |_, _, stream| {
            head(stream, "200 OK", &[]);
            while send(stream, &[0; 1 << 16]) {}
        },
    },
    Misdeed {
        name: "sends chunks without end",
        said: "bytes, found more",
        answer: |_, _, stream| {
            head(stream, "200 OK", &["transfer-encoding: chunked"]);
            let chunk = [&b"10000\r\n"[..], &[0; 0x1_0000], b"\r\n"].concat();
            while send(stream, &chunk) {}
        },
    },
    Misdeed {
        name: "sends ten gigabytes of zeros, compressed",
        said: "bytes, found more",
        answer: |_, _, stream| {
            head(stream, "200 OK", &[]);
            send(stream, &gzip_bomb(&[]));
        },
    },
    Misdeed {
        name: "announces a terabyte",
        said: "found 1000000000000 announced",
        answer: |_, _, stream| {
            head(stream, "200 OK", &["content-length: 1000000000000"]);
            while send(stream, &[0; 1 << 16]) {}
        },
    },
];

fn drip(stream: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes.chunks(1) {
        if !send(stream, byte) {
            break;
        }
        thread::sleep(Duration::from_secs(1));
    }
}

fn try_servers(plan: &Plan) -> Result<Figures, String> {
    let published = Published::new()?;
    let published = &published;
    let good = published.server();
    let mut figures = Figures::default();
    let tries: Vec<usize> = (0..usize::try_from(plan.tries).unwrap_or(usize::MAX)).collect();
    let mut peak = 0;
    for group in tries.chunks(TOGETHER) {
        let outcomes: Vec<_> = thread::scope(|scope| {
            let url = good.url();
            let threads: Vec<_> = group
                .iter()
                .map(|&index| {
                    let url = url.clone();
                    scope.spawn(move || try_server(plan, index, published, &url))
                })
                .collect();
            threads.into_iter().map(|it| it.join().expect("no panic")).collect()
        });
        for outcome in outcomes {
            figures.count(outcome.map(|bytes| peak = peak.max(bytes)));
        }
    }
    figures.notes = vec![format!("peak memory {} MB", peak >> 20)];
    Ok(figures)
}

/// The peak memory, if all went as it must.
fn try_server(plan: &Plan, index: usize, published: &Published, good: &str) -> Result<u64, String> {
    let misdeed = &SERVERS[index % SERVERS.len()];
    let home = plan.folder().join(format!("home{index}"));
    fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let (answer, own) = (misdeed.answer, Published { info: published.info, files: published.files.clone() });
    let bad = Server::start(move |path, stream| answer(&own, path, stream));
    let told = |what: String| format!("a server that {}: {what}", misdeed.name);

    let fetch = |url: &str| {
        let arguments = ["data", "fetch", published.info.name, "--progress=none", "--mirror", url];
        run(&mut runner(plan, &home, &arguments), DEADLINE)
    };
    let outcome = fetch(&bad.url()).map_err(told)?;
    outcome.expect(3, misdeed.said).map_err(told)?;
    outcome.expect_peak_below(MAX_BYTES).map_err(told)?;
    let left = names(&published.cache(&home));
    if !left.is_empty() {
        return Err(told(format!("left {left:?}")));
    }

    fetch(good).and_then(|outcome| outcome.expect(0, "")).map_err(|what| told(format!("then a good one: {what}")))?;
    published.check_complete(&home).map_err(told)?;
    // Homes hold 55 MB each.
    fs::remove_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    Ok(outcome.peak_bytes.unwrap_or(0))
}
