//! What several test files need: scratch directories, seeded noise, and a child process to kill.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that is removed when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("interlock-storage-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A 64-bit linear congruential generator (Knuth's constants): the same numbers on every machine.
pub struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        // The low bits of such a generator are weak.
        (self.0 >> 32) ^ (self.0 << 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() & 0xffff_ffff) % bound
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.next() >> 8) as u8).collect()
    }
}

/// A root that is made of a number.
pub fn root(number: u64) -> [u8; 32] {
    let mut root = [0; 32];
    root[..8].copy_from_slice(&number.to_be_bytes());
    root[31] = 1;
    root
}

/// Runs one test of this test binary in a child process, with an environment variable that tells it
/// to play the child's part.
pub fn child(test: &str, variable: &str, value: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(variable, value)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads the lines with a prefix that the child prints, kills it with SIGKILL after `lines` of them, and
/// returns all it had printed until then.
pub fn kill_after(mut child: Child, prefix: &str, lines: usize) -> Vec<String> {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut seen = Vec::new();
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        // A line without its end was cut by the kill and says nothing.
        if let Some((_, text)) = line.split_once(prefix)
            && line.ends_with('\n')
        {
            seen.push(text.trim().to_owned());
            if seen.len() == lines {
                child.kill().unwrap();
            }
        }
        line.clear();
    }
    let status = child.wait().unwrap();
    assert!(!status.success(), "the child ended by itself");
    seen
}
