//! Fork choice: votes that move on trees of three sizes, and the head after them.

use std::time::Duration;

use anyhow::ensure;
use fork_choice::measure::{CommitteeVote, ProtoArray, Shape, Workload};
use types::{Gwei, Root};

use crate::clock::Cost;
use crate::line::Line;
use crate::report::Report;

const BALANCE: Gwei = Gwei(32_000_000_000);

/// Measures trees of so many blocks, each a chain from which a block forks at every step.
pub fn measure(
    report: &mut Report,
    blocks: &[usize],
    validators: u32,
    budget: Duration,
) -> anyhow::Result<()> {
    let moves = [
        ("votes-in-order", Moved::InOrder),
        ("votes-all", Moved::Strewn(validators as usize)),
        ("votes-32k", Moved::Strewn(32 << 10)),
        ("votes-none", Moved::Strewn(0)),
    ];
    if !report.wants_any(&moves.map(|(name, _)| name)) {
        return Ok(());
    }
    for blocks in blocks.iter().copied() {
        let mut ours = Workload::new(Shape::Comb, blocks, validators);
        ours.set_balances(BALANCE);
        let mut pair = Pair { plain: ours.proto_array(), ours, balances: vec![BALANCE; validators as usize] };
        // The first votes are new; what is measured are votes that move.
        pair.round(Moved::InOrder)?;
        // The usual million is not said.
        let subject = match validators {
            1_048_576 => format!("{blocks} blocks"),
            few => format!("{blocks} blocks, {few}"),
        };
        for (name, moved) in moves {
            if report.wants(name) {
                let (ours, plain) = pair.least(moved, budget)?;
                let line = Line::time(name, &subject, ours).against("proto-array", plain);
                // Of each vote four numbers are read and two written.
                let count = if let Moved::Strewn(count) = moved { count } else { validators as usize };
                let copying = 48.0 * count as f64 * report.machine.speed.copy_ns;
                report.add(if count > 0 { line.limited_by("to copy 48 B each", copying) } else { line });
            }
        }
    }
    Ok(())
}

/// Whose votes move.
#[derive(Clone, Copy)]
enum Moved {
    /// All, the members of a committee being neighbours.
    InOrder,
    /// So many, the members of a committee drawn from everywhere, as they are.
    Strewn(usize),
}

struct Pair {
    ours: Workload,
    plain: ProtoArray,
    balances: Vec<Gwei>,
}

impl Pair {
    /// Moves votes, or none, and asks both for the head, which must be the same.
    fn round(&mut self, moved: Moved) -> anyhow::Result<(Cost, Cost)> {
        let votes = match moved {
            Moved::InOrder => self.ours.round_in_order(),
            Moved::Strewn(0) => Vec::new(),
            Moved::Strewn(count) => self.ours.round(count),
        };
        let ours = &mut self.ours;
        let mut head = Root::ZERO;
        let mine = once(|| {
            let counted = ours.vote(&votes);
            head = ours.store.get_head();
            counted
        });
        let justified = ours.store.justified_checkpoint().root;
        let mut same = Root::ZERO;
        let theirs = once(|| {
            vote_plainly(&mut self.plain, &votes);
            same = self.plain.find_head(&justified, &self.balances);
            anyhow::Ok(())
        });
        ensure!(head == same, "our head is {head}, the proto-array's {same}");
        Ok((mine?, theirs?))
    }

    fn least(&mut self, moved: Moved, budget: Duration) -> anyhow::Result<(Cost, Cost)> {
        let begun = std::time::Instant::now();
        let mut least = self.round(moved)?;
        while least.0.runs < 3 || least.0.runs < 15 && begun.elapsed() < budget {
            let (ours, plain) = self.round(moved)?;
            least = (least.0.or(ours), least.1.or(plain));
        }
        Ok(least)
    }
}

fn vote_plainly(plain: &mut ProtoArray, votes: &[CommitteeVote]) {
    for CommitteeVote { facts, validators } in votes {
        for validator in validators {
            plain.process_attestation(*validator, facts.beacon_block_root, facts.target.epoch);
        }
    }
}

/// The cost of work that cannot be done twice.
fn once<E: Into<anyhow::Error>>(work: impl FnOnce() -> Result<(), E>) -> anyhow::Result<Cost> {
    let (result, cost) = crate::clock::once(work);
    result.map_err(Into::into)?;
    Ok(cost)
}
