//! Whatever a server sends, only whole and right files get their name; a good server then heals all.

mod server;
mod support;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use data::{
    ContentError, DataError, Deadlines, FetchError, LocateOptions, Network, Origin, Part, Progress, PublishedFile,
    Source, locate, locate_file,
};
use server::{Server, response};
use support::{NAMES, files, gzip, info};
use tempfile::TempDir;

fn temporary() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn options(folder: &TempDir, servers: &[&Server]) -> LocateOptions {
    LocateOptions {
        cache_dir: Some(folder.path().to_owned()),
        progress: Progress::Silent,
        mirrors: Some(servers.iter().map(|it| it.url()).collect()),
        deadlines: Deadlines {
            connect: Duration::from_secs(2),
            stall: Duration::from_secs(1),
            total: Duration::from_secs(4),
        },
        ..LocateOptions::default()
    }
}

/// A server with all four files.
fn good() -> Server {
    Server::start(|path, stream| {
        let name = path.trim_start_matches('/').trim_end_matches(".gz");
        let index = NAMES.iter().position(|it| *it == name).expect("only files are asked for");
        response(stream, "200 OK", "application/gzip", &gzip(&files()[index]));
    })
}

/// Names in the cache that are not our lock.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder.join("tiny")) else { return Vec::new() };
    let names = entries.map(|it| it.expect("readable").file_name().into_string().expect("ascii"));
    names.filter(|name| name != ".lock").collect()
}

/// Fetches from a bad server, which must fail in time and leave nothing, and then from a good one.
fn check(bad: &Server, expected: impl FnOnce(&FetchError) -> bool) {
    let folder = temporary();
    let start = Instant::now();
    let error = locate(&Source::Named(info()), &options(&folder, &[bad])).expect_err("it is bad");
    assert!(start.elapsed() < Duration::from_secs(8), "the deadline is kept");
    let DataError::Unavailable { attempts, .. } = &error else { panic!("{error}") };
    assert_eq!(attempts[0].supplier, bad.url());
    assert!(expected(&attempts[0].error), "{error}");
    assert!(error.to_string().contains(NAMES[0]), "{error}");
    assert_eq!(names(folder.path()), [""; 0], "nothing stays");

    let good = good();
    let found = locate(&Source::Named(info()), &options(&folder, &[bad, &good]));
    let found = found.expect("the second server is good");
    let suppliers = vec![good.url()];
    let cache = folder.path().join("tiny");
    assert_eq!(found.origin(), &Origin::Fetched { folder: cache, suppliers });
    assert_eq!(found.load(Part::Train).expect("it is verified").labels(), [0, 2, 1, 2]);
    assert_eq!(names(folder.path()).len(), 4);
}

#[test]
fn a_good_server_fills_the_cache_once() {
    let (folder, server) = (temporary(), good());
    let options = options(&folder, &[&server]);
    let first = locate(&Source::Named(info()), &options).expect("the server is good");
    assert!(matches!(first.origin(), Origin::Fetched { .. }));
    let second = locate(&Source::Named(info()), &options).expect("the cache is filled");
    assert!(matches!(second.origin(), Origin::Cache(_)));
    assert_eq!(server.requests(), 4);
}

#[test]
fn survives_truncated_bodies() {
    let body = gzip(&files()[0]);
    let half = body.len() / 2;
    check(
        &Server::start(move |_, stream| {
            response(stream, "200 OK", "application/gzip", &body[..half]);
        }),
        |error| matches!(error, FetchError::Content { source: ContentError::Read(_), .. }),
    );
}

#[test]
fn survives_connections_that_break() {
    check(
        &Server::start(|_, stream| {
            server::head(stream, "200 OK", &["content-length: 60"]);
            server::send(stream, &gzip(&files()[0])[..20]);
        }),
        |error| matches!(error, FetchError::Content { source: ContentError::Read(_), .. }),
    );
}

#[test]
fn survives_other_bytes() {
    let mut other = files()[0].clone();
    other[20] ^= 1;
    let body = gzip(&other);
    check(&Server::start(move |_, stream| response(stream, "200 OK", "application/gzip", &body)), |error| {
        matches!(error, FetchError::Content { source: ContentError::WrongHash { .. }, .. })
    });
}

#[test]
fn survives_pages_for_people() {
    let page = b"<!DOCTYPE html><title>Please log in</title>";
    check(&Server::start(|_, stream| response(stream, "200 OK", "text/html; charset=utf-8", page)), |error| {
        matches!(error, FetchError::Html { .. })
    });
    // The same without saying what it is.
    check(&Server::start(|_, stream| response(stream, "200 OK", "application/gzip", page)), |error| {
        matches!(error, FetchError::Content { .. })
    });
}

#[test]
fn survives_errors_of_the_server() {
    check(&Server::start(|_, stream| response(stream, "500 Oops", "text/plain", b"sorry")), |error| {
        matches!(error, FetchError::Status { status: 500, .. })
    });
}

#[test]
fn survives_redirect_loops() {
    check(
        &Server::start(|path, stream| {
            server::head(stream, "302 Found", &[&format!("location: {path}"), "content-length: 0"]);
        }),
        |error| {
            matches!(error, FetchError::Http { source, .. }
                if matches!(**source, ureq::Error::TooManyRedirects))
        },
    );
}

#[test]
fn survives_endless_bodies() {
    check(
        &Server::start(|_, stream| {
            server::head(stream, "200 OK", &[]);
            while server::send(stream, &[0; 1 << 12]) {}
        }),
        |error| matches!(error, FetchError::Content { source: ContentError::TooLong { .. }, .. }),
    );
}

#[test]
fn survives_gzip_bombs() {
    let mut bomb = gzip(&vec![0; 4 << 20]);
    // Who decompresses all of it finds a checksum that is wrong (RFC 1952: the last eight bytes are CRC-32 and length).
    let checksum = bomb.len() - 8;
    bomb[checksum] ^= 1;
    check(&Server::start(move |_, stream| response(stream, "200 OK", "application/gzip", &bomb)), |error| {
        matches!(error, FetchError::Content { source: ContentError::TooLong { .. }, .. })
    });
}

#[test]
fn survives_huge_announcements() {
    check(
        &Server::start(|_, stream| {
            server::head(stream, "200 OK", &["content-length: 1000000000000"]);
            while server::send(stream, &[0; 1 << 12]) {}
        }),
        |error| matches!(error, FetchError::TooLarge { announced: 1_000_000_000_000, .. }),
    );
}

/// Like [`check`], and the failure comes long before the deadline for the whole file.
fn check_early(bad: &Server, expected: impl FnOnce(&FetchError) -> bool) {
    let start = Instant::now();
    check(bad, |error| {
        assert!(start.elapsed() < Duration::from_secs(3), "given up after {:?}", start.elapsed());
        expected(error)
    });
}

#[test]
fn survives_servers_that_drip() {
    check_early(
        &Server::start(|_, stream| {
            server::head(stream, "200 OK", &["content-length: 60"]);
            for byte in gzip(&files()[0]) {
                if !server::send(stream, &[byte]) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }),
        |error| matches!(error, FetchError::Content { source: ContentError::Read(_), .. }),
    );
}

#[test]
fn survives_servers_that_stop_in_the_middle() {
    check_early(
        &Server::start(|_, stream| {
            server::head(stream, "200 OK", &["content-length: 60"]);
            server::send(stream, &gzip(&files()[0])[..30]);
            std::thread::sleep(Duration::from_secs(6));
        }),
        |error| matches!(error, FetchError::Content { source: ContentError::Read(_), .. }),
    );
}

#[test]
fn survives_heads_that_drip() {
    check_early(
        &Server::start(|_, stream| {
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 60\r\ncontent-type: application/gzip\r\n".chunks(1) {
                if !server::send(stream, byte) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }),
        |error| matches!(error, FetchError::Http { .. }),
    );
}

#[test]
fn a_file_has_a_deadline_however_steady_it_comes() {
    let server = Server::start(|_, stream| {
        server::head(stream, "200 OK", &["content-length: 60"]);
        for byte in gzip(&files()[0]) {
            if !server::send(stream, &[byte]) {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let folder = temporary();
    let mut options = options(&folder, &[&server]);
    // No pause is too long, and no pace too slow within this time.
    options.deadlines.stall = Duration::from_mins(1);
    options.deadlines.total = Duration::from_secs(1);
    let start = Instant::now();
    let error = locate(&Source::Named(info()), &options).expect_err("six seconds are too many");
    assert!(start.elapsed() < Duration::from_secs(3), "given up after {:?}", start.elapsed());
    assert!(error.to_string().contains("timeout"), "{error}");
    assert_eq!(names(folder.path()), [""; 0], "nothing stays");
}

#[test]
fn survives_servers_that_never_answer() {
    check_early(&Server::start(|_, _| std::thread::sleep(Duration::from_secs(3))), |error| {
        matches!(error, FetchError::Http { .. })
    });
}

#[test]
fn survives_servers_that_are_not_there() {
    let url = good().url();
    let folder = temporary();
    let mirrors = Some(vec![url.clone(), good().url()]);
    let options = LocateOptions { mirrors, ..options(&folder, &[]) };
    let error = locate(&Source::Named(info()), &options).expect_err("both have stopped");
    assert!(error.to_string().contains(&url), "{error}");
}

#[test]
fn a_wrong_file_in_the_cache_is_fetched_again_alone() {
    let (folder, server) = (temporary(), good());
    let options = options(&folder, &[&server]);
    locate(&Source::Named(info()), &options).expect("the server is good");
    let path = folder.path().join("tiny").join(NAMES[1]);
    fs::write(&path, "broken").expect("writable");
    let found = locate(&Source::Named(info()), &options).expect("the server is good");
    assert!(matches!(found.origin(), Origin::Fetched { .. }));
    assert_eq!(fs::read(&path).expect("it is there"), files()[1]);
    assert_eq!(server.requests(), 5);
}

#[test]
fn runs_that_start_together_share_one_download() {
    let (folder, server) = (temporary(), good());
    let options = options(&folder, &[&server]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| locate(&Source::Named(info()), &options).expect("the server is good"));
        }
    });
    assert_eq!(server.requests(), 4);
}

/// SHA-256 of "abc" begins so (FIPS 180-2, example B.1).
static ABC: PublishedFile =
    PublishedFile { name: "abc.pth", url: "http://127.0.0.1:9/", sha256_start: "ba7816bf", limit: 10 };

#[test]
fn a_published_file_is_known_by_the_start_of_its_hash() {
    let folder = temporary();
    let cached = folder.path().join("weights/abc.pth");
    for (body, part) in [(&b"abd"[..], "expected SHA-256 ba7816bf…"), (b"abcabcabcabc", "expected at most 11 bytes")]
    {
        let bad = Server::start(move |_, stream| response(stream, "200 OK", "application/octet-stream", body));
        let error = locate_file(&ABC, "weights", &options(&folder, &[&bad])).expect_err("it is bad");
        assert!(matches!(error, DataError::Unavailable { .. }) && error.to_string().contains(part), "{error}");
        assert!(!cached.exists(), "nothing stays");
    }
    let good = Server::start(|path, stream| {
        assert_eq!(path, "/abc.pth");
        response(stream, "200 OK", "application/octet-stream", b"abc");
    });
    let options = options(&folder, &[&good]);
    for _ in 0..2 {
        let found = locate_file(&ABC, "weights", &options).expect("the server is good");
        assert_eq!((found.path.as_path(), found.bytes), (cached.as_path(), 3));
        assert!(found.sha256.starts_with("ba7816bf8f01cfea"), "{}", found.sha256);
    }
    assert_eq!(good.requests(), 1, "the cache has it");

    let offline = LocateOptions { network: Network::Forbidden, ..options.clone() };
    assert!(locate_file(&ABC, "weights", &offline).is_ok());
    fs::write(&cached, "abd").expect("writable");
    let error = locate_file(&ABC, "weights", &offline).expect_err("it is wrong");
    assert!(matches!(error, DataError::Content { .. }), "{error}");
    assert!(locate_file(&ABC, "weights", &options).is_ok(), "it is fetched again");
    fs::remove_file(&cached).expect("there");
    let error = locate_file(&ABC, "weights", &offline).expect_err("it is gone");
    assert!(matches!(error, DataError::NotFound { .. }), "{error}");
}
