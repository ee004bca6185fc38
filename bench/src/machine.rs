//! What the machine can do at best, measured in the same run: what the other figures stand against.

use std::time::Duration;

use blst::min_pk::SecretKey;
use sha2::{Digest, Sha256};

use crate::clock::least;

const BUDGET: Duration = Duration::from_millis(400);
const DST: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// The machine of the table of goals: what its hashing, copying and verifying took.
pub const OF_GOALS: Speed = Speed { hash_ns: 82.0, copy_ns: 1.0 / 17.0, verify_ns: 1_300_000.0 };

/// How long a machine takes for what the hot paths are made of, in nanoseconds of CPU time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// SHA-256 of 64 bytes, one after the other.
    pub hash_ns: f64,
    /// Copying one byte of many, from memory to memory.
    pub copy_ns: f64,
    /// One signature of one key, of which both are points already.
    pub verify_ns: f64,
}

/// The machine of this run.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What it takes one at a time.
    pub speed: Speed,
    /// SHA-256 of 64 bytes, many at once, through what hashes the state's trees.
    pub batched_hash_ns: f64,
    /// What it calls itself.
    pub cpu: String,
    /// Threads that it runs at once.
    pub cores: usize,
    /// The version of blst, and of milhouse.
    pub versions: [String; 2],
}

impl Machine {
    /// Measures; takes two seconds.
    pub fn measure() -> Self {
        let speed = Speed { hash_ns: hash_ns(), copy_ns: copy_ns(), verify_ns: verify_ns() };
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            speed,
            batched_hash_ns: batched_hash_ns(),
            cpu: name.map_or("unknown CPU", |(_, name)| name).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            versions: [version_of("blst"), version_of("milhouse")],
        }
    }

    /// The lines above the table.
    pub fn header(&self) -> String {
        let Self { speed, cpu, cores, versions: [blst, milhouse], .. } = self;
        format!(
            "{cpu}, {cores} threads; blst {blst}, milhouse {milhouse}\n\
             SHA-256 of 64 bytes: {:.1} ns one by one, {:.1} ns in batches; copying: {:.1} GB/s; \
             one signature: {:.3} ms\n\
             the machine of the goals: {:.1} ns; {:.1} GB/s; {:.3} ms\n",
            speed.hash_ns,
            self.batched_hash_ns,
            1.0 / speed.copy_ns,
            speed.verify_ns / 1e6,
            OF_GOALS.hash_ns,
            1.0 / OF_GOALS.copy_ns,
            OF_GOALS.verify_ns / 1e6,
        )
    }
}

fn hash_ns() -> f64 {
    const COUNT: usize = 20_000;
    let run = |node: &mut [u8; 64]| {
        for _ in 0..COUNT {
            let digest: [u8; 32] = Sha256::digest(&node).into();
            node[..32].copy_from_slice(&digest);
        }
    };
    least(BUDGET, || [7; 64], run).each(COUNT).cpu_ns
}

/// Through what the product hashes its trees with.
fn batched_hash_ns() -> f64 {
    const COUNT: usize = 4096;
    let nodes = vec![[7; 32]; 2 * COUNT];
    let room = || vec![[0; 32]; COUNT];
    least(BUDGET, room, |out| own_ssz::hash_pairs(&nodes, out)).each(COUNT).cpu_ns
}

fn copy_ns() -> f64 {
    const BYTES: usize = 128 << 20;
    let (from, mut to) = (vec![1u8; BYTES], vec![2u8; BYTES]);
    least(BUDGET, || (), |()| to.copy_from_slice(&from)).each(BYTES).cpu_ns
}

fn verify_ns() -> f64 {
    let key = SecretKey::key_gen(&[7; 32], &[]).expect("32 bytes are enough");
    let (pubkey, signature) = (key.sk_to_pk(), key.sign(b"message", DST, &[]));
    let run = |(): &mut ()| signature.verify(false, b"message", DST, &[], &pubkey, false);
    least(BUDGET, || (), run).cpu_ns
}

/// The version of a crate that this program was built with.
fn version_of(name: &str) -> String {
    let lock = include_str!("../../Cargo.lock");
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{name}\"\n")));
    let version = entry.and_then(|entry| entry.split("version = \"").nth(1)?.split('"').next());
    version.unwrap_or("of unknown version").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        assert!(version_of("blst").starts_with("0.3"), "{}", version_of("blst"));
        assert_eq!(version_of("milhouse"), "0.9.0");
        assert_eq!(version_of("nothing-of-this-name"), "of unknown version");
    }
}
