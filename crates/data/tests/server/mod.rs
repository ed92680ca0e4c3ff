//! A web server on 127.0.0.1 that misbehaves as told.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl Server {
    /// Answers each request with `answer(path, stream)`, one per connection.
    pub(crate) fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let server = Self {
            address: listener.local_addr().expect("it is bound"),
            requests: Arc::default(),
            stopped: Arc::default(),
        };
        let (requests, stopped) = (Arc::clone(&server.requests), Arc::clone(&server.stopped));
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(mut stream) = stream else { continue };
                let (requests, answer) = (Arc::clone(&requests), Arc::clone(&answer));
                thread::spawn(move || {
                    if let Some(path) = read_request(&stream) {
                        requests.fetch_add(1, Ordering::SeqCst);
                        answer(&path, &mut stream);
                    }
                });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Number of requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wake the listener up, so that it sees that it is stopped and closes its port.
        let _ = TcpStream::connect(self.address);
    }
}

/// The path of a request, once its head is read.
fn read_request(stream: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    lines.find(String::is_empty)?;
    Some(path)
}

/// Sends a status line and these header lines.
pub(crate) fn head(stream: &mut TcpStream, status: &str, headers: &[&str]) {
    let headers: String = headers.iter().flat_map(|it| [it, "\r\n"]).collect();
    send(stream, format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n").as_bytes());
}

/// Sends a whole answer.
pub(crate) fn response(stream: &mut TcpStream, status: &str, mime_type: &str, body: &[u8]) {
    let (mime_type, length) = (format!("content-type: {mime_type}"), format!("content-length: {}", body.len()));
    head(stream, status, &[&mime_type, &length]);
    send(stream, body);
}

/// Sends bytes and says whether anybody took them.
pub(crate) fn send(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).is_ok()
}
