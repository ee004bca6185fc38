//! `interlock transition`: apply blocks or empty slots to a state, through the functions that production calls.

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use ssz::SszExt;
use transition::{Signatures, ValidateResult, process_slots, state_transition};
use types::{BeaconState, ForkName, SignedBeaconBlock};

use crate::input::read_ssz;
use crate::network_choice::NetworkChoice;
use crate::output::write_file;

/// Commands on states.
#[derive(Subcommand)]
pub enum Transition {
    /// Apply signed blocks, in the order given, and print the root of the state after them.
    Blocks {
        #[command(flatten)]
        run: Run,
        /// Take the blocks' signatures as valid without verifying them.
        #[arg(long)]
        skip_signatures: bool,
        /// The signed blocks: .ssz or .ssz_snappy files.
        #[arg(required = true, value_name = "BLOCK")]
        blocks: Vec<PathBuf>,
    },
    /// Advance through empty slots and print the root of the state after them.
    Slots {
        #[command(flatten)]
        run: Run,
        /// How many slots to advance.
        #[arg(long)]
        slots: u64,
    },
}

/// The state before and the state after.
#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    network: NetworkChoice,
    /// The fork of the state before: phase0, altair, bellatrix, capella, deneb, electra, fulu.
    #[arg(long)]
    fork: ForkName,
    /// The state before: a .ssz or .ssz_snappy file.
    #[arg(long, value_name = "FILE")]
    pre: PathBuf,
    /// Where to write the state after.
    #[arg(long, value_name = "FILE")]
    post: PathBuf,
}

impl Run {
    fn state(&self) -> anyhow::Result<BeaconState> {
        let spec = self.network.spec_at(self.fork)?;
        BeaconState::decode_at(spec, self.fork, &read_ssz(&self.pre)?)
            .map_err(|error| anyhow!("{}: no state of {}: {error}", self.pre.display(), self.fork))
    }

    fn finish(&self, state: &BeaconState) -> anyhow::Result<()> {
        write_file(&self.post, &state.encoded())?;
        println!("{}", state.state_root());
        Ok(())
    }
}

impl Transition {
    /// Runs the command.
    pub fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::Blocks { run, skip_signatures, blocks } => {
                let mut state = run.state()?;
                for path in blocks {
                    let name = || path.display().to_string();
                    // The slot stands behind the offset (4 bytes), the signature (96) in every fork.
                    let bytes = read_ssz(path)?;
                    let slot =
                        bytes.get(100..108).ok_or_else(|| anyhow!("no signed block")).with_context(name)?;
                    let slot = u64::from_le_bytes(slot.try_into().expect("8 bytes")).into();
                    let block = SignedBeaconBlock::from_ssz(&bytes, state.spec().ctx_at_slot(slot))
                        .with_context(name)?;
                    let mut signatures = if *skip_signatures { Signatures::Skip } else { Signatures::Verify };
                    state_transition(&mut state, &block, &mut signatures, ValidateResult::Yes)
                        .with_context(name)?;
                }
                run.finish(&state)
            }
            Self::Slots { run, slots } => {
                let mut state = run.state()?;
                let Some(target) = state.slot.0.checked_add(*slots) else {
                    bail!("slot {} and {slots} more is beyond the last slot", state.slot);
                };
                // The specification's function refuses to advance by nothing; here nothing is a fair wish.
                if *slots > 0 {
                    process_slots(&mut state, target.into())?;
                }
                run.finish(&state)
            }
        }
    }
}
