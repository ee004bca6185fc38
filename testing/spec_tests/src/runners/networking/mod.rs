//! [`networking/gossip_*`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/networking): messages
//! that arrive one after the other, and what is to be done with each.
//!
//! A message is judged as production judges it: by the rules of its topic, then by its signatures, and is remembered
//! as seen where it is valid. Only the blocks that the rules ask for come from a store that is made for the case.

mod store;

use anyhow::{Context, bail, ensure};
use chain::gossip::{
    Checked, Seen, validate_attester_slashing_gossip, validate_beacon_aggregate_and_proof_gossip,
    validate_beacon_attestation_gossip, validate_beacon_block_gossip,
    validate_bls_to_execution_change_gossip, validate_proposer_slashing_gossip,
    validate_sync_committee_contribution_and_proof_gossip, validate_sync_committee_message_gossip,
    validate_voluntary_exit_gossip,
};
use chain::{Verdict, Why};
use crypto::{SignatureSet, verify_signature_sets};
use serde::Deserialize;
use ssz::Ssz;
use types::{Attestation, BeaconState, ForkName, SignedAggregateAndProof, SingleAttestation, Time};

use crate::case::Case;
use store::{Block, Finalized, Store};

/// The batches' randomness; vectors do not try to foresee it.
const SEED: [u8; 32] = [42; 32];

#[derive(Deserialize)]
struct Meta {
    topic: String,
    #[serde(default)]
    blocks: Vec<Block>,
    finalized_checkpoint: Option<Finalized>,
    /// Since the Unix epoch; slashings and exits do not ask for it.
    #[serde(default)]
    current_time_ms: u64,
    #[serde(default)]
    bls_setting: u8,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    /// The subnet on which it arrives, where the topic has subnets.
    subnet_id: Option<u64>,
    /// When it arrives, after `current_time_ms`.
    #[serde(default)]
    offset_ms: i64,
    /// The name of its file.
    message: String,
    /// `valid`, `ignore` or `reject`.
    expected: String,
    /// The rule that it breaks.
    reason: Option<String>,
}

/// The handlers that there are rules for.
pub fn has_handler(handler: &str) -> bool {
    matches!(
        handler,
        "gossip_beacon_block"
            | "gossip_beacon_attestation"
            | "gossip_beacon_aggregate_and_proof"
            | "gossip_voluntary_exit"
            | "gossip_proposer_slashing"
            | "gossip_attester_slashing"
            | "gossip_sync_committee_message"
            | "gossip_sync_committee_contribution_and_proof"
            | "gossip_bls_to_execution_change"
    )
}

pub fn run(case: &Case) -> super::Result {
    let meta: Meta = case.yaml("meta.yaml")?;
    ensure!(meta.bls_setting < 2, "gossip without signatures is not defined");
    // The topic of single votes is named after the subnets' prefix.
    let name = if meta.topic == "sync_committee" { "sync_committee_message" } else { &meta.topic };
    ensure!(case.handler == format!("gossip_{name}"), "the topic {} is another handler's", meta.topic);
    let mut receiver = Receiver {
        store: Store::new(case, &meta.blocks, meta.finalized_checkpoint.as_ref())?,
        seen: Seen::default(),
        state: case.state("state.ssz")?,
    };
    for (place, message) in meta.messages.iter().enumerate() {
        let now = meta.current_time_ms.checked_add_signed(message.offset_ms).context("no such time")?;
        let found = receiver.receive(case, message, Time(now))?;
        check(case, place, found, message)?;
    }
    Ok(())
}

/// Compares the verdict. The rule that was broken is compared too, but another one is no failure: where a message
/// breaks several, or another version of the specification words them otherwise, the verdict is what counts.
fn check(case: &Case, place: usize, found: Verdict, message: &Message) -> super::Result {
    let kind = match found {
        Verdict::Accept => "valid",
        Verdict::Ignore(_) => "ignore",
        Verdict::Reject(_) => "reject",
    };
    let expected = message.reason.as_deref().unwrap_or("no reason");
    ensure!(
        kind == message.expected,
        "message {place}: {found:?}, expected {} ({expected})",
        message.expected
    );
    if found.why().map(|why| why.0) != message.reason.as_deref() {
        case.note(format!("message {place}: {found:?}, expected the reason \"{expected}\""));
    }
    Ok(())
}

/// What a node knows when a message arrives.
struct Receiver {
    store: Store,
    seen: Seen,
    state: BeaconState,
}

impl Receiver {
    fn receive(&mut self, case: &Case, message: &Message, now: Time) -> anyhow::Result<Verdict> {
        let Self { store, seen, state } = self;
        macro_rules! judge {
            ($checked:expr) => {
                match $checked {
                    Err(verdict) => Ok(verdict),
                    Ok(Checked { signatures, facts }) => {
                        let verdict = verify(signatures)?;
                        if verdict == Verdict::Accept {
                            facts.mark_seen(seen);
                        }
                        Ok(verdict)
                    }
                }
            };
        }
        match case.handler.as_str() {
            "gossip_beacon_block" => {
                judge!(validate_beacon_block_gossip(seen, store, state, &read(case, message)?, now))
            }
            "gossip_beacon_attestation" => {
                let subnet = message.subnet_id.context("an attestation arrives on a subnet")?;
                if case.fork_name()? >= ForkName::Electra {
                    let single: SingleAttestation = read(case, message)?;
                    let state = store.state_for_target(state, &single.data)?;
                    return judge!(validate_beacon_attestation_gossip(
                        seen, store, &state, &single, now, subnet
                    ));
                }
                let attestation: Attestation = read(case, message)?;
                let state = store.state_for_target(state, &attestation.data)?;
                judge!(validate_beacon_attestation_gossip(seen, store, &state, &attestation, now, subnet))
            }
            "gossip_beacon_aggregate_and_proof" => {
                let signed: SignedAggregateAndProof = read(case, message)?;
                let state = store.state_for_target(state, &signed.message.aggregate.data)?;
                judge!(validate_beacon_aggregate_and_proof_gossip(seen, store, &state, &signed, now))
            }
            "gossip_voluntary_exit" => {
                judge!(validate_voluntary_exit_gossip(seen, state, &read(case, message)?))
            }
            "gossip_proposer_slashing" => {
                judge!(validate_proposer_slashing_gossip(seen, state, &read(case, message)?))
            }
            "gossip_attester_slashing" => {
                judge!(validate_attester_slashing_gossip(seen, state, &read(case, message)?))
            }
            "gossip_sync_committee_message" => {
                let subnet = message.subnet_id.context("a vote arrives on a subnet")?;
                let vote = read(case, message)?;
                judge!(validate_sync_committee_message_gossip(seen, state, &vote, now, subnet))
            }
            "gossip_sync_committee_contribution_and_proof" => {
                let signed = read(case, message)?;
                judge!(validate_sync_committee_contribution_and_proof_gossip(seen, state, &signed, now))
            }
            "gossip_bls_to_execution_change" => {
                judge!(validate_bls_to_execution_change_gossip(seen, state, &read(case, message)?, now))
            }
            other => bail!("no rules for {other}"),
        }
    }
}

fn read<T: Ssz>(case: &Case, message: &Message) -> anyhow::Result<T> {
    case.ssz(&format!("{}.ssz", message.message))
}

/// The verdict that the signatures make, verified one by one and in a batch.
fn verify(signatures: Vec<(SignatureSet, Why)>) -> anyhow::Result<Verdict> {
    ensure!(!signatures.is_empty(), "a message without signatures");
    let invalid = signatures.iter().find(|(set, _)| !set.verify()).map(|(_, why)| *why);
    let sets: Vec<SignatureSet> = signatures.into_iter().map(|(set, _)| set).collect();
    let batch = verify_signature_sets(&sets, SEED);
    ensure!(
        batch == invalid.is_none(),
        "the batch is {batch}, but alone the first invalid one is {invalid:?}"
    );
    Ok(invalid.map_or(Verdict::Accept, Verdict::Reject))
}
