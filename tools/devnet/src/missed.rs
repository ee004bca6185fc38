//! Slots without a block, and what the validator clients' logs say of them and of other duties that came to nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;

use transition::accessors::get_block_root_at_slot;
use types::{BeaconState, Epoch, Slot};

/// Lines of other duties that are kept; of more only the number is.
const LINES_MAX: usize = 12;

/// What was missed in a run.
#[derive(Clone, Debug, Default)]
pub struct Missed {
    /// The slots whose block is not on the chain, with the reason as far as one is known.
    pub blocks: BTreeMap<Slot, String>,
    /// What else validator clients could not do: the first lines of them.
    pub lines: Vec<String>,
    /// How many such lines there are.
    pub count: usize,
}

/// The slots of an epoch that a state of the next one, or the epoch's last slot, has no block of.
pub(crate) fn slots_without_block(state: &BeaconState, epoch: Epoch) -> anyhow::Result<Vec<Slot>> {
    let first = epoch.start_slot(state.spec());
    let mut missed = Vec::new();
    for slot in (first.0..first.0 + state.spec().preset.slots_per_epoch).map(Slot) {
        // Slot 0 has the genesis block.
        if slot > 0 && get_block_root_at_slot(state, slot)? == get_block_root_at_slot(state, slot - 1)? {
            missed.push(slot);
        }
    }
    Ok(missed)
}

impl Missed {
    /// These slots, with what the logs of validator clients, each with its node's name, say of them and of other duties.
    /// A log that cannot be read says nothing.
    pub(crate) fn explain<'a>(
        slots: &BTreeSet<Slot>,
        logs: impl Iterator<Item = (&'a str, &'a Path)>,
    ) -> Self {
        let unknown = |slot: &Slot| (*slot, "no validator client of ours says why".to_owned());
        let mut missed = Self { blocks: slots.iter().map(unknown).collect(), ..Self::default() };
        for (name, log) in logs {
            let Ok(file) = std::fs::File::open(log) else { continue };
            for line in BufReader::new(file).lines().map_while(Result::ok) {
                missed.read(name, &line);
            }
        }
        missed
    }

    fn read(&mut self, name: &str, line: &str) {
        if let Some((slot, root)) = proposed(line) {
            if let Some(reason) = self.blocks.get_mut(&slot) {
                *reason = format!("{name} proposed {root}, which did not stay on the chain");
            }
            return;
        }
        let Some(text) = line.split_once("missed ").map(|(_, text)| text).filter(|_| line.contains(" WARN "))
        else {
            return;
        };
        let of_block = text.strip_prefix("block of slot ").and_then(|rest| rest.split_once(' '));
        match of_block.and_then(|(slot, _)| self.blocks.get_mut(&Slot(slot.parse().ok()?))) {
            Some(reason) => *reason = format!("{name}: {text}"),
            None => {
                self.count += 1;
                if self.lines.len() < LINES_MAX {
                    self.lines.push(format!("{name}: {text}"));
                }
            }
        }
    }
}

/// Slot and root of a block that a validator client's line of the slot tells.
fn proposed(line: &str) -> Option<(Slot, &str)> {
    let (_, rest) = line.split_once(" slot ")?;
    let (slot, rest) = rest.split_once(' ')?;
    let (_, rest) = rest.split_once(": proposed 1/")?;
    let root = rest.split(' ').find(|word| word.starts_with("0x"))?;
    Some((Slot(slot.parse().ok()?), root.trim_end_matches(',')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DevnetPlan, interop_genesis};
    use types::Root;

    #[test]
    fn a_slot_that_repeats_the_root_before_it_has_no_block() {
        let plan = DevnetPlan::new(1, 64, "interlock".into(), "net".into());
        let mut state = interop_genesis(plan.spec(1_700_000_000).unwrap(), 64, 1_700_000_000).unwrap();
        state.slot = Slot(17);
        for slot in 0..17 {
            // A block in every slot but 3 and 8; 8 is the first of its epoch.
            let of = if slot == 3 || slot == 8 { slot - 1 } else { slot };
            state.block_roots[slot as usize] = Root::from([of as u8 + 1; 32]);
        }
        assert_eq!(slots_without_block(&state, Epoch(0)).unwrap(), [Slot(3)]);
        assert_eq!(slots_without_block(&state, Epoch(1)).unwrap(), [Slot(8)]);
        assert!(slots_without_block(&state, Epoch(2)).is_err());
    }

    #[test]
    fn the_logs_say_why() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("validator.log");
        let text = "2026-01-01T00:00:00Z  WARN missed block of slot 5 by validator 7: the node gave no block: no engine\n\
                    2026-01-01T00:00:00Z  INFO slot 6 (epoch 0): proposed 1/1 0xabcd, attested 2/2\n\
                    2026-01-01T00:00:00Z  INFO slot 4 (epoch 0): proposed 1/1 0xffff, attested 2/2\n\
                    2026-01-01T00:00:00Z  WARN missed attestation of slot 9 by validators 1, 2: late\n";
        std::fs::write(&log, text).unwrap();
        let logs = [("node-0", log.as_path()), ("node-1", Path::new("nowhere"))];
        let missed = Missed::explain(&[Slot(5), Slot(6), Slot(7)].into(), logs.into_iter());
        let reasons: Vec<&str> = missed.blocks.values().map(String::as_str).collect();
        assert_eq!(
            reasons,
            [
                "node-0: block of slot 5 by validator 7: the node gave no block: no engine",
                "node-0 proposed 0xabcd, which did not stay on the chain",
                "no validator client of ours says why",
            ]
        );
        assert_eq!(missed.lines, ["node-0: attestation of slot 9 by validators 1, 2: late"]);
        assert_eq!(missed.count, 1);
    }
}
