//! Gossip, from the compressed bytes to the rules of the chain.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use chain::{Chain, ChainConfig, GossipId, GossipMessage, Input, Start};
use synthetic::{Keys, genesis_state};
use transition::{Signatures, ValidateResult, state_transition};
use types::{BeaconState, ExecutionPayload, ForkName, Root, SignedBeaconBlock, SszExt, Time};

use crate::network::{fork_of, spec_of};
use crate::surroundings::Deeds;

/// Topics by the second byte; the third is the subnet of those that have one.
const TOPICS: [&str; 13] = [
    "beacon_block",
    "beacon_aggregate_and_proof",
    "beacon_attestation_",
    "voluntary_exit",
    "proposer_slashing",
    "attester_slashing",
    "sync_committee_contribution_and_proof",
    "sync_committee_",
    "bls_to_execution_change",
    "blob_sidecar_",
    "data_column_sidecar_",
    "light_client_finality_update",
    "light_client_optimistic_update",
];

/// Slots after genesis at which messages arrive.
pub const SLOT: u64 = 12;

/// The keys of the validators.
pub fn keys() -> &'static Arc<Keys> {
    static KEYS: OnceLock<Arc<Keys>> = OnceLock::new();
    KEYS.get_or_init(|| Arc::new(Keys::new(0, 64)))
}

/// The genesis of a network whose first fork is this one.
pub fn genesis(fork: ForkName) -> &'static Arc<BeaconState> {
    static STATES: OnceLock<BTreeMap<ForkName, Arc<BeaconState>>> = OnceLock::new();
    let make = |fork: ForkName| {
        let spec = spec_of(fork);
        let mut payload = ExecutionPayload::new_default(spec.ctx(fork));
        payload.block_hash = Root::from([7; 32]);
        let payload = (fork >= ForkName::Bellatrix).then_some(&payload);
        let mut state =
            genesis_state(spec, keys(), 64, 1_600_000_000, payload).expect("64 keys make a genesis");
        // The first validator may still change its credentials.
        let mut credentials = crypto::hash(&keys().pubkey(0).0);
        credentials[0] = 0;
        state.validators[0].withdrawal_credentials = Root::from(credentials);
        (fork, Arc::new(state))
    };
    &STATES.get_or_init(|| ForkName::ALL.into_iter().map(make).collect())[&fork]
}

/// Fork and whether the payload is compressed already (first byte), topic, subnet, payload: what gossipsub, the node's
/// decoder and the chain do with it, up to its import and the slot after it, where every signature is valid. For blocks
/// the lowest bit of the third byte says whether they get the state root that belongs to them.
pub fn gossip_message(data: &[u8]) {
    deeds(data);
}

/// What the chain did with the message; none where it did not come to the chain.
fn deeds(data: &[u8]) -> Option<Deeds> {
    let [first, topic, subnet, bytes @ ..] = data else { return None };
    let fork = fork_of(first & 0x7f);
    let spec = spec_of(fork);
    let mut name = TOPICS[usize::from(*topic) % TOPICS.len()].to_owned();
    if name.ends_with('_') {
        name.push_str(&subnet.to_string());
    }
    let topic = format!("/eth2/01020304/{name}/ssz_snappy");
    let compressed = match first & 0x80 {
        0 => snap::raw::Encoder::new().compress_vec(bytes).expect("memory is written to"),
        _ => bytes.to_vec(),
    };
    let (topic, payload) = network::fuzzing::gossip_payload(spec, &topic, &compressed)?;
    if first & 0x80 == 0 {
        assert!(payload == bytes, "another payload after compression");
    }
    let (mut message, encoded) = node::fuzzing::gossip_message(spec, fork, topic, &payload)?;
    assert!(encoded == payload, "{name} of {fork} is written otherwise than it was read");

    let state = genesis(fork);
    if let GossipMessage::Block(block) = &mut message
        && subnet & 1 == 1
    {
        give_state_root(state, Arc::make_mut(block));
    }
    let slot_ms = spec.config.slot_duration_ms;
    let now = Time(state.genesis_time * 1000 + SLOT * slot_ms + slot_ms / 4);
    let start = Start::Anchor { state: state.clone(), block: None };
    let mut chain = Chain::new(spec, ChainConfig::default(), start, now).expect("genesis starts a chain");
    while chain.poll().is_some() {}
    let mut deeds = Deeds::default();
    deeds.handle(&mut chain, now, Input::Gossip { id: GossipId(1), message });
    deeds.handle(&mut chain, now.after_ms(slot_ms), Input::Tick);
    assert!(deeds.verdicts.len() <= 1, "more than one verdict: {:?}", deeds.verdicts);
    Some(deeds)
}

/// Gives a block the root of the state that follows from it, where one does.
fn give_state_root(state: &BeaconState, block: &mut SignedBeaconBlock) {
    let mut post = state.clone();
    let is_near = (1..=SLOT).contains(&block.message.slot.0);
    if is_near && state_transition(&mut post, block, &mut Signatures::Skip, ValidateResult::No).is_ok() {
        block.message.state_root = post.state_root();
    }
}

#[cfg(test)]
mod tests {
    use chain::Verdict;

    use super::*;
    use crate::seeds::seeds;

    /// What is done with the seed of a topic at each fork.
    fn deeds_of(name: &str, change: impl Fn(&mut Vec<u8>)) -> Vec<Deeds> {
        let mut found = seeds("gossip_message");
        found.retain(|(seed, _)| seed.starts_with(name));
        assert!(!found.is_empty());
        let run = |(_, mut bytes): (String, Vec<u8>)| {
            change(&mut bytes);
            deeds(&bytes).unwrap()
        };
        found.into_iter().map(run).collect()
    }

    #[test]
    fn a_block_is_imported_and_one_that_was_changed_too_where_it_gets_its_root() {
        for deeds in deeds_of("block-", |_| {}) {
            assert_eq!(deeds.verdicts, [Verdict::Accept]);
            assert!(deeds.jobs.contains(&"execute_blocks") && deeds.batches > 0, "{deeds:?}");
        }
        // The block's graffiti lies behind the randao reveal and the eth1 data.
        let change = |root: u8| {
            move |bytes: &mut Vec<u8>| {
                let body = 3 + 4 + 96 + 84;
                bytes[2] = root;
                bytes[body + 96 + 72] ^= 1;
            }
        };
        assert!(deeds_of("block-", change(0)).iter().all(|deeds| deeds.batches == 0));
        assert!(deeds_of("block-", change(1)).iter().all(|deeds| deeds.batches > 0));
    }

    #[test]
    fn every_topic_comes_to_its_signature_and_is_accepted_in_every_fork_that_has_it() {
        let topics = [
            ("aggregate", 7),
            ("attestation", 7),
            ("exit", 7),
            ("proposer-slashing", 7),
            ("attester-slashing", 7),
            ("contribution", 6),
            ("sync", 6),
            ("credentials", 4),
            ("column", 1),
        ];
        for (topic, forks) in topics {
            let done = deeds_of(topic, |_| {});
            assert_eq!(done.len(), forks, "{topic}");
            for deeds in done {
                assert_eq!(deeds.verdicts, [Verdict::Accept], "{topic}");
                assert!(deeds.jobs.contains(&"verify_signatures"), "{topic}: {deeds:?}");
            }
        }
    }
}
