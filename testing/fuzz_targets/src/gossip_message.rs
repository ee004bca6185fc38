//! Gossip, from the compressed bytes to the rules of the chain.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use chain::{Chain, ChainConfig, GossipId, Input, Output, Start};
use synthetic::{Keys, genesis_state};
use types::{BeaconState, ExecutionPayload, ForkName, Root, SszExt, Time};

use crate::network::{fork_of, spec_of};

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
/// Outputs that one message may cause; more means that the chain runs away.
const OUTPUTS_MAX: usize = 10_000;

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
        let state = genesis_state(spec, keys(), 64, 1_600_000_000, payload).expect("64 keys make a genesis");
        (fork, Arc::new(state))
    };
    &STATES.get_or_init(|| ForkName::ALL.into_iter().map(make).collect())[&fork]
}

/// Fork and whether the payload is compressed already (first byte), topic, subnet, payload: what gossipsub, the node's
/// decoder and the chain do with it before signatures are verified.
pub fn gossip_message(data: &[u8]) {
    let [first, topic, subnet, bytes @ ..] = data else { return };
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
    let Some((topic, payload)) = network::fuzzing::gossip_payload(spec, &topic, &compressed) else { return };
    if first & 0x80 == 0 {
        assert!(payload == bytes, "another payload after compression");
    }
    let Some((message, encoded)) = node::fuzzing::gossip_message(spec, fork, topic, &payload) else { return };
    assert!(encoded == payload, "{name} of {fork} is written otherwise than it was read");

    let state = genesis(fork);
    let now = Time((state.genesis_time + SLOT * spec.config.slot_duration_ms / 1000) * 1000 + 1500);
    let start = Start::Anchor { state: state.clone(), block: None };
    let mut chain = Chain::new(spec, ChainConfig::default(), start, now).expect("genesis starts a chain");
    while chain.poll().is_some() {}
    chain.handle(now, Input::Gossip { id: GossipId(1), message });
    let (mut outputs, mut verdicts) = (0, 0);
    while let Some(output) = chain.poll() {
        outputs += 1;
        assert!(outputs <= OUTPUTS_MAX, "outputs without end");
        verdicts += usize::from(matches!(output, Output::Verdict { .. }));
    }
    assert!(verdicts <= 1, "{verdicts} verdicts on one message");
}
