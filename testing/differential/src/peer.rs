//! A foreign implementation in a child process that lives as long as it answers.
//!
//! A child that dies, is late or answers nonsense is killed and started again, a bounded number of times; the case that it
//! was asked is then without an answer.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::case::{Action, Case, Outcome};
use crate::wire::{self, Message};

/// How often a child is started again before it is given up.
const RESTARTS_MAX: u32 = 20;
/// How long a child may take to start, and to load a fork that it is asked about first.
const START: Duration = Duration::from_secs(90);

const SPEC_CHILD: &str = include_str!("../peers/spec/child.py");
const LODESTAR_CHILD: &str = include_str!("../peers/lodestar/child.mjs");

/// Which implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerName {
    /// The executable specification in Python.
    Spec,
    /// Lodestar's state-transition library.
    Lodestar,
}

impl PeerName {
    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Lodestar => "lodestar",
        }
    }
}

impl std::str::FromStr for PeerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Spec, Self::Lodestar]
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| format!("unknown implementation {text:?}, expected spec or lodestar"))
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How to start a child.
#[derive(Clone, Debug)]
pub struct Start {
    /// Which implementation it is.
    pub name: PeerName,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables that it is started with.
    pub environment: Vec<(String, String)>,
    /// Where its error output goes.
    pub log: PathBuf,
    /// How long it may take for an answer.
    pub deadline: Duration,
}

impl Start {
    /// The child of an implementation that `setup.sh` put into a folder. Its program is written below `work`.
    pub fn installed(
        name: PeerName,
        peers: &Path,
        preset: &str,
        work: &Path,
        deadline: Duration,
    ) -> anyhow::Result<Self> {
        let log = work.join(format!("{name}.log"));
        let hint = || format!("{name} is not installed in {}: run peers/setup.sh", peers.display());
        let command = match name {
            PeerName::Spec => {
                let python = peers.join("venv/bin/python");
                ensure!(python.exists(), hint());
                let program = work.join("child.py");
                std::fs::write(&program, SPEC_CHILD)?;
                vec![python.display().to_string(), program.display().to_string()]
            }
            PeerName::Lodestar => {
                let folder = peers.join("lodestar");
                ensure!(folder.join("node_modules").exists(), hint());
                let program = work.join("child.mjs");
                std::fs::write(&program, LODESTAR_CHILD)?;
                vec!["node".to_owned(), program.display().to_string(), folder.display().to_string()]
            }
        };
        let environment = vec![("LODESTAR_PRESET".to_owned(), preset.to_owned())];
        Ok(Self { name, command, environment, log, deadline })
    }
}

/// A child that answers.
#[derive(Debug)]
pub struct Peer {
    start: Start,
    running: Option<Running>,
    restarts: u32,
    /// The implementation's own name and version.
    pub version: String,
}

#[derive(Debug)]
struct Running {
    child: Child,
    to: BufWriter<ChildStdin>,
    from: Receiver<std::io::Result<Message>>,
    forks_loaded: Vec<types::ForkName>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    /// Starts a child and waits for its name.
    pub fn start(start: Start) -> anyhow::Result<Self> {
        let name = start.name;
        let mut peer = Self { start, running: None, restarts: 0, version: String::new() };
        let (running, version) = peer.launch().with_context(|| format!("{name} does not start"))?;
        (peer.running, peer.version) = (Some(running), version);
        Ok(peer)
    }

    /// Which implementation.
    pub fn name(&self) -> PeerName {
        self.start.name
    }

    /// How often it had to be started again.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    fn launch(&self) -> anyhow::Result<(Running, String)> {
        let Start { command, environment, log, .. } = &self.start;
        let log = File::options().create(true).append(true).open(log)?;
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .envs(environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| command[0].clone())?;
        let to = BufWriter::new(child.stdin.take().context("no pipe to the child")?);
        let mut out = BufReader::new(child.stdout.take().context("no pipe from the child")?);
        // One answer is awaited at a time; a child that sends more is held up by this.
        let (give, from) = sync_channel(1);
        std::thread::spawn(move || {
            loop {
                let message = wire::read(&mut out);
                let is_last = message.is_err();
                if give.send(message).is_err() || is_last {
                    return;
                }
            }
        });
        let mut running = Running { child, to, from, forks_loaded: Vec::new() };
        wire::write(&mut running.to, json!({"action": "hello"}), &[])?;
        let (header, _) = running.receive(START)?;
        let version = header["peer"].as_str().context("it does not tell its name")?.to_owned();
        Ok((running, version))
    }

    /// Sends a case; [`Peer::answer`] has to follow. `post` asks for the state after.
    pub fn ask(&mut self, case: &Case, post: bool) {
        if self.running.is_none() && self.restarts < RESTARTS_MAX {
            self.restarts += 1;
            match self.launch() {
                Ok((running, _)) => self.running = Some(running),
                Err(error) => println!("{}: cannot be started again: {error:#}", self.name()),
            }
        }
        let Some(running) = &mut self.running else { return };
        // A child that cannot be asked has ended: its status says more, and is there when its answer is awaited.
        let _ = running.send(case, post);
    }

    /// The answer to what was asked.
    pub fn answer(&mut self, case: &Case) -> Outcome {
        let Some(running) = &mut self.running else {
            return Outcome::NoAnswer(format!("{} is not running", self.start.name));
        };
        // What has not been loaded yet takes seconds.
        let is_first = !running.forks_loaded.contains(&case.fork);
        let deadline = if is_first { START.max(self.start.deadline) } else { self.start.deadline };
        let answer = running.receive(deadline).and_then(outcome_of);
        match answer {
            Ok(outcome) => {
                if is_first {
                    running.forks_loaded.push(case.fork);
                }
                outcome
            }
            Err(error) => {
                let why = format!("{error:#}");
                self.give_up(&why);
                Outcome::NoAnswer(why)
            }
        }
    }

    fn give_up(&mut self, why: &str) {
        self.running = None;
        let left = RESTARTS_MAX - self.restarts;
        println!("{}: {why}; log in {}; {left} restarts left", self.name(), self.start.log.display());
    }
}

impl Running {
    fn send(&mut self, case: &Case, post: bool) -> std::io::Result<()> {
        let (action, name, slots) = match &case.action {
            Action::Blocks => ("blocks", "", 0),
            Action::Slots(count) => ("slots", "", *count),
            Action::Operation(name) => ("operation", name.as_str(), 0),
            Action::Epoch(name) => ("epoch", name.as_str(), 0),
        };
        let header = json!({
            "action": action, "name": name, "slots": slots, "fork": case.fork.as_str(),
            "preset": case.preset, "signatures": case.signatures, "post": post,
        });
        let blobs: Vec<&[u8]> = std::iter::once(&case.pre).chain(&case.inputs).map(Vec::as_slice).collect();
        wire::write(&mut self.to, header, &blobs)
    }

    fn receive(&mut self, deadline: Duration) -> anyhow::Result<Message> {
        match self.from.recv_timeout(deadline) {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                bail!("answers nonsense: {error}")
            }
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => match self.child.wait() {
                Ok(status) => bail!("has ended: {status}"),
                Err(error) => bail!("has ended: {error}"),
            },
            Err(RecvTimeoutError::Timeout) => bail!("has not answered for {} s", deadline.as_secs()),
        }
    }
}

fn outcome_of((header, mut blobs): Message) -> anyhow::Result<Outcome> {
    let text = |key: &str| header[key].as_str().map(str::to_owned);
    match header["accepted"] {
        Value::Bool(true) => {
            let root = text("root").and_then(|root| root.parse().ok()).context("answers without a root")?;
            Ok(Outcome::Accepted { root, post: blobs.pop() })
        }
        Value::Bool(false) => Ok(Outcome::Refused(text("why").unwrap_or_default())),
        _ => bail!("answers neither yes nor no"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use types::{ForkName, Root};

    use super::*;

    /// A child that tells its name and then does what a shell is told.
    fn child(then: &str, log: &Path) -> Start {
        let hello = r#"printf '\034\000\000\000{"peer":"test 1","blobs":[]}'; "#;
        Start {
            name: PeerName::Spec,
            command: vec!["sh".to_owned(), "-c".to_owned(), format!("{hello}{then}")],
            environment: Vec::new(),
            log: log.join("log"),
            deadline: Duration::from_millis(300),
        }
    }

    /// Why there was no answer to a case, and how often the child was started again after a second one.
    fn failure_of(then: &str) -> (String, u32) {
        let folder = tempfile::tempdir().unwrap();
        let mut peer = Peer::start(child(then, folder.path())).unwrap();
        assert_eq!(peer.version, "test 1");
        if let Some(running) = &mut peer.running {
            running.forks_loaded.push(ForkName::Phase0);
        }
        let mut ask = || {
            peer.ask(&Case::without_state(), false);
            match peer.answer(&Case::without_state()) {
                Outcome::NoAnswer(why) => why,
                other => panic!("an answer: {other}"),
            }
        };
        (ask(), peer.restarts())
    }

    #[test]
    fn a_child_that_dies_is_told_with_its_status() {
        let (why, _) = failure_of("head -c 4 >/dev/null; exit 3");
        assert!(why.contains("exit status: 3"), "{why}");
    }

    #[test]
    fn a_child_that_hangs_is_given_up_at_its_deadline() {
        let begin = Instant::now();
        let (why, _) = failure_of("sleep 60");
        assert!(why.contains("has not answered"), "{why}");
        assert!(begin.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_child_that_answers_nonsense_is_given_up() {
        for nonsense in [
            "printf '\\377\\377\\377\\377'",
            "printf '\\003\\000\\000\\000abc'",
            r#"printf '\014\000\000\000{"blobs":[]}'"#,
        ] {
            let (why, _) = failure_of(&format!("head -c 4 >/dev/null; {nonsense}; sleep 60"));
            assert!(why.contains("answers"), "{nonsense}: {why}");
        }
    }

    #[test]
    fn a_child_is_started_again_a_bounded_number_of_times() {
        let folder = tempfile::tempdir().unwrap();
        let mut peer = Peer::start(child("head -c 4 >/dev/null; exit 0", folder.path())).unwrap();
        for _ in 0..RESTARTS_MAX + 10 {
            peer.ask(&Case::without_state(), false);
            assert!(matches!(peer.answer(&Case::without_state()), Outcome::NoAnswer(_)));
        }
        assert_eq!(peer.restarts(), RESTARTS_MAX);
    }

    #[test]
    fn an_answer_is_read_with_its_state() {
        let root = Root::from([7; 32]);
        let text = format!(r#"{{"accepted":true,"root":"{root}","blobs":[3]}}"#);
        let length = char::from(text.len() as u8);
        assert!(text.len() < 128, "one byte of length");
        let answer = format!("printf '\\{:03o}\\000\\000\\000{text}abc'; sleep 60", length as u32);
        let folder = tempfile::tempdir().unwrap();
        let mut peer = Peer::start(child(&answer, folder.path())).unwrap();
        peer.ask(&Case::without_state(), true);
        let Outcome::Accepted { root: found, post } = peer.answer(&Case::without_state()) else {
            panic!("not accepted")
        };
        assert_eq!((found, post), (root, Some(b"abc".to_vec())));
    }
}
