//! Decompressed keys of all validators, ahead of need.
//!
//! The first vote of each validator wants its key decompressed: 60 µs, of 32,000 validators in each slot where there are
//! a million. Several thousand keys together cost a third of that each, and one that was stored a hundredth. So a thread
//! goes through the registry once, while the node is already up: it takes what an earlier run stored, decompresses the
//! rest, and stores that. A key that is needed before it gets there is decompressed then, by whoever needs it. Keys of
//! validators that come later are few, and wait for their first vote.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crypto::PubkeyTable;
use storage::{Database, Fault, Op};
use tokio::sync::watch;
use types::{BeaconState, Time};

use crate::clock;

/// Keys that are decompressed together: some tens of milliseconds.
const TOGETHER: usize = 2048;
/// Keys that are stored together, of 96 bytes each.
const PIECE: usize = 1 << 14;

/// What the thread works with.
pub struct KeyWarmth {
    /// The registry, and the table that all states share.
    pub state: Arc<BeaconState>,
    /// Where keys are stored.
    pub database: Arc<Database>,
    /// From when on blocks need the cores.
    pub genesis: Time,
    /// Says that the node stops.
    pub stop: watch::Receiver<bool>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Warmth {
    stored: usize,
    decompressed: usize,
}

impl KeyWarmth {
    /// Starts the thread. It ends by itself when it is through, or when the node stops.
    pub fn start(self) -> std::io::Result<()> {
        let run = move || {
            let begun = Instant::now();
            match self.run() {
                Ok(Warmth { stored, decompressed }) if stored + decompressed >= TOGETHER => {
                    let seconds = begun.elapsed().as_secs();
                    tracing::info!(stored, decompressed, seconds, "the keys of all validators are at hand");
                }
                Ok(_) => {}
                Err(fault) => {
                    tracing::warn!(%fault, "keys cannot be read or stored; they are decompressed as needed")
                }
            }
        };
        std::thread::Builder::new().name("keys".to_owned()).spawn(run)?;
        Ok(())
    }

    fn run(&self) -> Result<Warmth, Fault> {
        let table = &self.state.context.caches.pubkeys;
        let count = self.state.validators.len();
        let pieces = || (0u32..).zip((0..count).step_by(PIECE).map(|first| first..count.min(first + PIECE)));
        let mut warmth = Warmth::default();
        for (piece, range) in pieces() {
            if let Some(bytes) = self.database.keys(piece)? {
                warmth.stored += table.import(range.start, &bytes);
            }
        }
        for (piece, range) in pieces() {
            let decompressed = self.decompress(table, range.clone());
            warmth.decompressed += decompressed;
            if self.is_over() {
                break;
            }
            if decompressed > 0 {
                self.database.apply_aside(&[Op::PutKeys { piece, bytes: table.export(range) }])?;
            }
        }
        Ok(warmth)
    }

    /// Decompresses the keys of a range that are not known; gives how many those were.
    fn decompress(&self, table: &PubkeyTable, range: Range<usize>) -> usize {
        let mut decompressed = 0;
        for first in range.clone().step_by(TOGETHER) {
            if self.is_over() {
                break;
            }
            let begun = Instant::now();
            let some = first..range.end.min(first + TOGETHER);
            let keys = some.map(|index| &self.state.validators[index].pubkey.0);
            decompressed += table.prefill(first, keys, rand::random());
            // Once there are blocks, half of a core is theirs.
            if clock::now() >= self.genesis {
                std::thread::sleep(begun.elapsed().min(Duration::from_secs(1)));
            }
        }
        decompressed
    }

    fn is_over(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;

    #[test]
    fn all_keys_are_decompressed_once_and_the_next_run_finds_them() {
        let world = World::new();
        let (stop, stopped) = watch::channel(false);
        let run = |fresh: bool| {
            let mut state = (*world.view().head.state).clone();
            if fresh {
                state.context.caches.pubkeys = Arc::default();
            }
            let (state, database) = (Arc::new(state), world.loads.database.clone());
            let warmth =
                KeyWarmth { state: state.clone(), database, genesis: Time(0), stop: stopped.clone() };
            let done = warmth.run().unwrap();
            let table = &state.context.caches.pubkeys;
            let known = (0..state.validators.len()).filter(|index| table.is_known(*index)).count();
            let key = state.validators[3].pubkey.0;
            assert_eq!(table.get(3, &key).map(|point| point.compress()), Ok(key));
            (done.stored, done.decompressed, known)
        };
        assert_eq!(run(true), (0, 16, 16));
        assert_eq!(run(true), (16, 0, 16), "an earlier run stored them");
        assert_eq!(run(false).2, 16);
        drop(stop);
        let state = world.view().head.state.clone();
        let database = world.loads.database.clone();
        let over = KeyWarmth { state, database, genesis: Time(0), stop: stopped };
        assert_eq!(over.run().unwrap().decompressed, 0, "the node has gone");
    }
}
