//! Nodes on loopback that answer as a test says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use types::BeaconState;

/// An answer of such a node.
#[derive(Clone)]
pub(super) struct Said {
    pub status: u16,
    pub kind: &'static str,
    pub version: Option<String>,
    pub body: Vec<u8>,
    /// Announces the whole body and stops after so many bytes of it.
    pub cut: Option<usize>,
    /// Says nothing more after that, instead of closing.
    pub hangs: bool,
}

impl Said {
    pub fn ssz(state: &BeaconState) -> Self {
        Self {
            status: 200,
            kind: "application/octet-stream",
            version: Some(state.fork_name().to_string()),
            body: state.encoded(),
            cut: None,
            hangs: false,
        }
    }

    pub fn text(status: u16, kind: &'static str, body: &str) -> Self {
        Self { status, kind, version: None, body: body.into(), cut: None, hangs: false }
    }
}

/// A node; it ends with the value.
pub(super) struct FakeNode {
    pub url: String,
    stop: Arc<AtomicBool>,
}

impl FakeNode {
    pub fn start(answer: impl Fn(&str) -> Said + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                serve(stream.unwrap(), &answer, &stopped);
            }
        });
        Self { url: format!("http://{address}"), stop }
    }

    /// One that has these states, by slot and by root.
    pub fn with_states(states: &[BeaconState]) -> Self {
        let states = states.to_vec();
        Self::start(move |path| {
            let id = path.rsplit('/').next().unwrap_or_default();
            let found = states
                .iter()
                .find(|state| state.slot.to_string() == id || state.state_root().to_string() == id);
            match found {
                Some(state) => Said::ssz(state),
                None => Said::text(404, "application/json", r#"{"code":404,"message":"no such state"}"#),
            }
        })
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread, so that it sees the flag.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&str) -> Said, stop: &AtomicBool) {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let said = answer(&path);
    let version = said.version.map(|version| format!("Eth-Consensus-Version: {version}\r\n"));
    let head = format!(
        "HTTP/1.1 {} X\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}Connection: close\r\n\r\n",
        said.status,
        said.kind,
        said.body.len(),
        version.unwrap_or_default()
    );
    let sent = said.cut.unwrap_or(said.body.len());
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&said.body[..sent]);
    while said.hangs && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
}
