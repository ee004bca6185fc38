//! A small web server for tests: files, and nodes that answer what a test wants them to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;

/// The longest line or head of a request that is read.
const HEAD_MAX: u64 = 16 << 10;
/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a site answers to a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status, as 200.
    pub status: u16,
    /// The media type.
    pub media_type: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A body with status 200.
    pub fn ok(media_type: &str, body: impl Into<String>) -> Self {
        Self { status: 200, media_type: media_type.to_owned(), body: body.into() }
    }

    /// There is nothing at this path.
    pub fn not_found() -> Self {
        Self { status: 404, media_type: "application/json".to_owned(), body: "{\"code\":404}".to_owned() }
    }
}

/// A web server on loopback, for pages of any origin. It ends when it is dropped.
#[derive(Debug)]
pub struct Site {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Site {
    /// Serves what `answer` gives for a path with its query. A connection is served by a thread of its own and holds one
    /// request.
    pub fn serve(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port can be bound on loopback")?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let (is_stopped, answer) = (stopped.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), answer) = (stream, answer.clone()) else { continue };
                // What a browser breaks off is no fault of the test.
                std::thread::spawn(move || drop(one(&stream, &*answer)));
            }
        });
        Ok(Self { address, stopped })
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // The thread wakes up to see it.
        drop(TcpStream::connect(self.address));
    }
}

fn one(stream: &TcpStream, answer: &dyn Fn(&str) -> Answer) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.take(HEAD_MAX)).lines();
    let Some(first) = lines.next() else { return Ok(()) };
    let first = first?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = first.split_whitespace().nth(1).unwrap_or("/");
    let Answer { status, media_type, body } = answer(path);
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status} -\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\naccess-control-allow-origin: *\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}
