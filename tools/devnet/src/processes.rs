//! Processes by name: start, stop, kill, restart with the same arguments, and an end for all of them.
//!
//! Nothing outlives the network. [`Processes`] stops what it started when it is dropped, also when a panic unwinds; and
//! where this process itself is killed, a small shell notices that the pipe to it has closed and ends the group that all
//! children are in. Children are in a group of their own so that a Ctrl-C in the terminal reaches only this process,
//! which then stops them in order.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often a process that shall end is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How long processes have to end after SIGTERM when everything ends.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(15);
/// The most of a log's end that is read.
const TAIL_BYTES: u64 = 32 << 10;

/// A process to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessPlan {
    /// The name by which it is known, for example `node-0/beacon`.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Environment variables besides those of this process.
    pub environment: Vec<(String, String)>,
    /// The folder to start in, where it matters.
    pub folder: Option<PathBuf>,
    /// Where its output goes; it is appended to.
    pub log: PathBuf,
}

impl ProcessPlan {
    /// A process without arguments yet.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            folder: None,
            log: log.into(),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl ToString) -> Self {
        self.arguments.push(argument.to_string());
        self
    }

    /// Adds an option and its value.
    pub fn option(self, name: &str, value: impl ToString) -> Self {
        self.arg(name).arg(value)
    }

    /// Adds an option whose value is a path.
    pub fn path(self, name: &str, value: &Path) -> Self {
        self.option(name, value.display())
    }
}

/// A process that ended without being asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its log.
    pub log: PathBuf,
    /// The log's last lines.
    pub last_lines: Vec<String>,
}

impl std::fmt::Display for Death {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ended by itself ({}), the end of {}:", self.name, self.status, self.log.display())?;
        self.last_lines.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

#[derive(Debug)]
struct Process {
    plan: ProcessPlan,
    child: Option<Child>,
}

/// Processes, in the order in which they were started.
#[derive(Debug)]
pub struct Processes {
    processes: Vec<Process>,
    warden: Option<Child>,
}

impl Default for Processes {
    fn default() -> Self {
        Self::new()
    }
}

impl Processes {
    /// No process yet.
    pub fn new() -> Self {
        Self { processes: Vec::new(), warden: start_warden() }
    }

    /// Starts a process. Its name must be new.
    pub fn start(&mut self, plan: ProcessPlan) -> anyhow::Result<()> {
        ensure!(self.find(&plan.name).is_none(), "a process {} was started before", plan.name);
        let child = self.spawn(&plan)?;
        self.processes.push(Process { plan, child: Some(child) });
        Ok(())
    }

    /// Starts a process again that was stopped or killed, with the same arguments; its log goes on.
    pub fn restart(&mut self, name: &str) -> anyhow::Result<()> {
        let place = self.find(name).ok_or_else(|| anyhow!("no process {name}"))?;
        ensure!(self.processes[place].child.is_none(), "process {name} is still running");
        let child = self.spawn(&self.processes[place].plan)?;
        self.processes[place].child = Some(child);
        Ok(())
    }

    /// Asks a process to end with SIGTERM and, where it does not within the deadline, kills it.
    pub fn stop(&mut self, name: &str, deadline: Duration) -> anyhow::Result<ExitStatus> {
        let mut child = self.take(name)?;
        signal(&child, Signal::SIGTERM);
        finish(&mut child, Instant::now() + deadline).with_context(|| format!("waiting for {name}"))
    }

    /// Kills a process with SIGKILL, as a power failure would, and waits until it is gone.
    pub fn kill(&mut self, name: &str) -> anyhow::Result<ExitStatus> {
        let mut child = self.take(name)?;
        child.kill().with_context(|| format!("killing {name}"))?;
        child.wait().with_context(|| format!("waiting for {name}"))
    }

    /// The first process found that ended without being asked to. It counts as stopped from then on.
    pub fn died(&mut self) -> Option<Death> {
        for process in &mut self.processes {
            let Some(child) = &mut process.child else { continue };
            let Ok(Some(status)) = child.try_wait() else { continue };
            process.child = None;
            let ProcessPlan { name, log, .. } = process.plan.clone();
            let last_lines = log_tail(&log, 12);
            return Some(Death { name, status, log, last_lines });
        }
        None
    }

    /// Stops everything: all are asked at once, the last ones started first, and have one deadline together.
    pub fn stop_all(&mut self, deadline: Duration) {
        let end = Instant::now() + deadline;
        for child in self.processes.iter().rev().filter_map(|process| process.child.as_ref()) {
            signal(child, Signal::SIGTERM);
        }
        for process in self.processes.iter_mut().rev() {
            if let Some(mut child) = process.child.take() {
                // There is nobody to tell, and the others must be stopped too.
                let _ = finish(&mut child, end);
            }
        }
        if let Some(mut warden) = self.warden.take() {
            let _ = warden.kill();
            let _ = warden.wait();
        }
    }

    /// The process id, none where it is not running.
    pub fn pid(&self, name: &str) -> Option<u32> {
        self.find(name).and_then(|place| self.processes[place].child.as_ref()).map(Child::id)
    }

    /// How a process was started.
    pub fn plan(&self, name: &str) -> Option<&ProcessPlan> {
        self.find(name).map(|place| &self.processes[place].plan)
    }

    /// The names of all processes, running or not.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.processes.iter().map(|process| process.plan.name.as_str())
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.processes.iter().position(|process| process.plan.name == name)
    }

    fn take(&mut self, name: &str) -> anyhow::Result<Child> {
        let place = self.find(name).ok_or_else(|| anyhow!("no process {name}"))?;
        self.processes[place].child.take().ok_or_else(|| anyhow!("process {name} is not running"))
    }

    fn spawn(&self, plan: &ProcessPlan) -> anyhow::Result<Child> {
        let log = open_log(plan)?;
        let errors = log.try_clone().context("a second handle of a log")?;
        let mut command = Command::new(&plan.program);
        // Logs are files, in which the colours of a terminal are noise.
        command.args(&plan.arguments).env("NO_COLOR", "1").envs(plan.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        if let Some(folder) = &plan.folder {
            command.current_dir(folder);
        }
        command.process_group(self.group());
        command.spawn().with_context(|| format!("cannot start {} ({})", plan.name, plan.program.display()))
    }

    /// The group that the warden leads; without one, each process has a group of its own.
    fn group(&self) -> i32 {
        let warden = self.warden.as_ref().and_then(|warden| i32::try_from(warden.id()).ok());
        warden.unwrap_or(0)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.stop_all(STOP_DEADLINE);
    }
}

/// Starts the shell that ends the group when this process is gone: its input is a pipe that only this process holds
/// open, and that closes with it however it ends. Without a shell there is no such watch.
fn start_warden() -> Option<Child> {
    let script = "trap '' TERM INT HUP; cat >/dev/null; kill -TERM 0; sleep 5; kill -KILL 0";
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0).spawn().ok()
}

fn open_log(plan: &ProcessPlan) -> anyhow::Result<File> {
    let name = || plan.log.display().to_string();
    if let Some(folder) = plan.log.parent() {
        std::fs::create_dir_all(folder).with_context(name)?;
    }
    let mut log = OpenOptions::new().create(true).append(true).open(&plan.log).with_context(name)?;
    writeln!(log, "# {} {}", plan.program.display(), plan.arguments.join(" ")).with_context(name)?;
    Ok(log)
}

fn signal(child: &Child, signal: Signal) {
    // The child has not been waited for, so its id cannot belong to another process yet.
    if let Ok(pid) = i32::try_from(child.id()) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Waits until a process ends, and kills it at `end`.
fn finish(child: &mut Child, end: Instant) -> std::io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= end {
            child.kill()?;
            return child.wait();
        }
        std::thread::sleep(POLL);
    }
}

/// The last lines of a log, at most `count`; none where it cannot be read.
pub fn log_tail(log: &Path, count: usize) -> Vec<String> {
    let text = read_from_end(log).unwrap_or_default();
    let mut lines = VecDeque::new();
    for line in text.lines() {
        if lines.len() == count {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }
    lines.into()
}

fn read_from_end(log: &Path) -> anyhow::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    if length > TAIL_BYTES {
        file.seek(SeekFrom::Start(length - TAIL_BYTES))?;
    }
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        bail!("empty");
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &str, dir: &Path, script: &str) -> ProcessPlan {
        ProcessPlan::new(name, "sh", dir.join(format!("{name}.log"))).option("-c", script)
    }

    fn exists(pid: u32) -> bool {
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), None).is_ok()
    }

    fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < end, "{what}");
            std::thread::sleep(POLL);
        }
    }

    #[test]
    fn a_process_stops_when_it_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let mut processes = Processes::new();
        processes.start(shell("sleeper", dir.path(), "exec sleep 60")).unwrap();
        let pid = processes.pid("sleeper").unwrap();
        assert!(exists(pid));
        let status = processes.stop("sleeper", Duration::from_secs(10)).unwrap();
        assert!(status.to_string().contains("SIGTERM"), "{status}");
        assert!(!exists(pid));
        assert_eq!(processes.pid("sleeper"), None);
        assert!(processes.stop("sleeper", Duration::ZERO).is_err());
    }

    #[test]
    fn a_process_that_does_not_listen_is_killed_at_the_deadline() {
        let dir = tempfile::tempdir().unwrap();
        let mut processes = Processes::new();
        processes
            .start(shell("deaf", dir.path(), "trap '' TERM; echo ready; while :; do sleep 0.1; done"))
            .unwrap();
        wait_until("the trap is set", || log_tail(&dir.path().join("deaf.log"), 1) == ["ready"]);
        let status = processes.stop("deaf", Duration::from_millis(200)).unwrap();
        assert!(status.to_string().contains("SIGKILL"), "{status}");
    }

    #[test]
    fn a_killed_process_starts_again_with_the_same_arguments_and_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut processes = Processes::new();
        processes.start(shell("worker", dir.path(), "echo begun; exec sleep 60")).unwrap();
        let begun = || {
            let text = std::fs::read_to_string(dir.path().join("worker.log")).unwrap();
            text.lines().filter(|line| *line == "begun").count()
        };
        wait_until("the first start", || begun() == 1);
        let first = processes.pid("worker").unwrap();
        assert!(processes.restart("worker").unwrap_err().to_string().contains("still running"));
        processes.kill("worker").unwrap();
        assert_eq!(processes.died(), None, "what was killed on purpose did not die by itself");
        processes.restart("worker").unwrap();
        wait_until("the second start", || begun() == 2);
        assert_ne!(processes.pid("worker").unwrap(), first);
    }

    #[test]
    fn a_death_comes_with_name_status_and_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let mut processes = Processes::new();
        processes.start(shell("fragile", dir.path(), "seq 1 30; echo 'no database'; exit 3")).unwrap();
        let mut death = None;
        wait_until("it dies", || {
            death = processes.died();
            death.is_some()
        });
        let text = death.unwrap().to_string();
        assert!(text.starts_with("fragile ended by itself (exit status: 3)"), "{text}");
        assert!(text.ends_with("\n    30\n    no database"), "{text}");
        assert_eq!(text.lines().count(), 13);
        assert_eq!(processes.died(), None, "a death is told once");
    }

    #[test]
    fn dropping_ends_everything_also_when_a_panic_unwinds() {
        let dir = tempfile::tempdir().unwrap();
        let mut pids = Vec::new();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut processes = Processes::new();
            processes.start(shell("one", dir.path(), "exec sleep 60")).unwrap();
            processes.start(shell("two", dir.path(), "exec sleep 60")).unwrap();
            pids = processes.names().map(|name| processes.pid(name).unwrap()).collect();
            pids.push(processes.warden.as_ref().unwrap().id());
            panic!("on purpose");
        }));
        assert!(caught.is_err());
        assert_eq!(pids.len(), 3);
        assert!(pids.into_iter().all(|pid| !exists(pid)));
    }

    #[test]
    fn the_group_ends_when_the_pipe_to_the_warden_closes() {
        let dir = tempfile::tempdir().unwrap();
        let mut processes = Processes::new();
        processes.start(shell("orphan", dir.path(), "exec sleep 60")).unwrap();
        // What the system does when this process is killed.
        drop(processes.warden.as_mut().unwrap().stdin.take());
        wait_until("the orphan ends", || processes.died().is_some());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let plan = ProcessPlan::new("ghost", "/nowhere/program", dir.path().join("ghost.log"));
        let error = Processes::new().start(plan).unwrap_err();
        assert_eq!(error.to_string(), "cannot start ghost (/nowhere/program)");
    }
}
