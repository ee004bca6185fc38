//! Networks of processes for tests: nodes with their validator clients one by one, or a whole devnet.

#![allow(dead_code, reason = "each test uses its part")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);
const VALIDATORS: u64 = 32;
const SLOT_MS: u64 = 1000;

/// A process of the program. It is killed when it is dropped.
pub struct Process(Child);

impl Process {
    pub fn start(log: &Path, options: &str) -> Self {
        let log = File::create(log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_interlock"))
            .args(options.split_whitespace())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ports that were free just now.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

pub fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: 127.0.0.1\r\naccept: */*\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}

pub fn json(port: u16, path: &str) -> Value {
    serde_json::from_str(&get(port, path).unwrap_or_default()).unwrap_or_default()
}

pub fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A node and its validator client, by their ports.
pub struct Pair {
    pub api: u16,
    pub metrics: u16,
    pub validator: u16,
    pub node: Option<Process>,
    _validator: Process,
}

/// Two nodes with half of the validators each.
pub struct Network {
    pub pairs: Vec<Pair>,
    _dir: tempfile::TempDir,
}

impl Network {
    /// With options for the network's folder, such as its forks.
    pub fn start(options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let network = path("network");
        let made = Command::new(env!("CARGO_BIN_EXE_interlock"))
            .args(["network", "new", "--out"])
            .arg(&network)
            .args(
                format!("--validators {VALIDATORS} --slot-ms {SLOT_MS} --genesis-in 6 {options}").split(' '),
            )
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut pairs: Vec<Pair> = Vec::new();
        for (number, half) in [(0, "0..16"), (1, "16..32")] {
            let [api, metrics, validator, tcp, udp] = free_ports();
            let bootnode = pairs.first().map(|first| {
                let identity = json(first.api, "/eth/v1/node/identity");
                format!("--bootnode {}", identity["data"]["enr"].as_str().unwrap())
            });
            let node = Process::start(
                &path(&format!("node-{number}.log")),
                &format!(
                    "beacon --network-dir {} --data-dir {} --http-port {api} --http-allow-any-origin --metrics \
                     --metrics-port {metrics} --tcp-port {tcp} --udp-port {udp} --listen-address 127.0.0.1 \
                     --enr-address 127.0.0.1 --subscribe-all-subnets {}",
                    network.display(),
                    path(&format!("node-{number}")).display(),
                    bootnode.unwrap_or_default()
                ),
            );
            wait("a node answers", || get(api, "/eth/v1/node/identity").is_some());
            let client = Process::start(
                &path(&format!("validator-{number}.log")),
                &format!(
                    "validator --beacon-node http://127.0.0.1:{api} --network-dir {} --data-dir {} --interop-range {half} \
                     --metrics --metrics-port {validator} --metrics-allow-any-origin",
                    network.display(),
                    path(&format!("validator-{number}")).display(),
                ),
            );
            pairs.push(Pair { api, metrics, validator, node: Some(node), _validator: client });
        }
        Self { pairs, _dir: dir }
    }
}

/// A devnet. Its processes end with it.
pub struct Devnet {
    child: Child,
    lines: Receiver<String>,
    said: String,
    _dir: tempfile::TempDir,
}

impl Devnet {
    pub fn start(options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_interlock"))
            .arg("devnet")
            .args(options.split_whitespace())
            .arg("--dir")
            .arg(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines, said: String::new(), _dir: dir }
    }

    /// The next line that contains a text.
    pub fn line(&mut self, text: &str) -> String {
        let end = Instant::now() + 2 * PATIENCE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said += &format!("{line}\n");
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => panic!("the devnet never said {text:?}:\n{}", self.said),
            }
        }
    }

    pub fn fork_view(&mut self) -> String {
        self.line("fork view").split_whitespace().last().unwrap().to_owned()
    }

    pub fn end(&mut self) -> (ExitStatus, &str) {
        while let Ok(line) = self.lines.recv_timeout(5 * PATIENCE) {
            self.said += &format!("{line}\n");
        }
        (self.child.wait().unwrap(), &self.said)
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // SIGTERM lets it stop its processes, which it does by itself also where it is killed.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
