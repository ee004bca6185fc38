//! The [`networking`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/networking) vectors of data
//! availability: the rules of gossip of sidecars, and custody.
//!
//! A sidecar is judged as production judges it: by the rules of its topic, its header's signature, its KZG proofs, and
//! is remembered as seen where it is valid. It also goes through the store, which must take what is valid.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use crypto::SignatureSet;
use data_availability::gossip::{
    Checked, HeaderStore, INVALID_BLOB_KZG_PROOF, INVALID_SIDECAR_KZG_PROOFS, KnownParent, SeenSidecars,
    Verdict, Why, validate_blob_sidecar_gossip, validate_data_column_sidecar_gossip,
    validate_partial_data_column_sidecar_gossip,
};
use data_availability::{Availability, Limits, Sidecar, columns, custody};
use serde::Deserialize;
use ssz::Ssz;
use transition::accessors::get_beacon_proposer_index;
use transition::process_slots;
use types::{
    BeaconState, BlobSidecar, Checkpoint, DataColumnSidecar, Epoch, PartialDataColumnGroupID,
    PartialDataColumnSidecar, Root, SignedBeaconBlock, Slot, SszExt, Time, Uint256, ValidatorIndex,
};

use crate::case::Case;

/// No state is advanced over more slots: no vector asks for it, and a bad one should not run for hours.
const SLOTS_MAX: u64 = 1024;

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    blocks: Vec<Block>,
    finalized_checkpoint: Option<Finalized>,
    /// Headers of partial columns that were found valid before.
    #[serde(default)]
    seen_partial_data_column_headers: Vec<SeenHeader>,
    current_time_ms: u64,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Block {
    block: String,
    /// It was seen and found invalid.
    #[serde(default)]
    failed: bool,
}

#[derive(Deserialize)]
struct Finalized {
    epoch: u64,
    root: Option<String>,
    block: Option<String>,
}

#[derive(Deserialize)]
struct SeenHeader {
    block_root: String,
    /// The name of its file.
    header: String,
}

#[derive(Deserialize)]
struct Message {
    subnet_id: Option<u64>,
    group_id: Option<String>,
    column_index: Option<u64>,
    #[serde(default)]
    offset_ms: i64,
    message: String,
    expected: String,
    reason: Option<String>,
}

/// The handlers that are run here.
pub fn has_handler(handler: &str) -> bool {
    matches!(
        handler,
        "gossip_blob_sidecar" | "gossip_data_column_sidecar" | "gossip_partial_data_column_sidecar"
    ) || is_custody(handler)
}

/// The handlers that ask for no rules of a fork.
pub fn is_custody(handler: &str) -> bool {
    matches!(handler, "get_custody_groups" | "compute_columns_for_custody_group")
}

pub fn run(case: &Case) -> super::Result {
    match case.handler.as_str() {
        "get_custody_groups" => get_custody_groups(case),
        "compute_columns_for_custody_group" => compute_columns_for_custody_group(case),
        _ => gossip(case),
    }
}

fn get_custody_groups(case: &Case) -> super::Result {
    #[derive(Deserialize)]
    struct Asked {
        node_id: String,
        custody_group_count: u64,
        result: BTreeSet<u64>,
    }
    let asked: Asked = case.yaml("meta.yaml")?;
    let number = Uint256::from_decimal(&asked.node_id).context("the node id is no number")?;
    let mut node_id = number.0;
    node_id.reverse();
    let found = custody::get_custody_groups(case.spec()?, &node_id, asked.custody_group_count)?;
    ensure!(found == asked.result, "found {found:?}");
    Ok(())
}

fn compute_columns_for_custody_group(case: &Case) -> super::Result {
    #[derive(Deserialize)]
    struct Asked {
        custody_group: u64,
        result: Vec<u64>,
    }
    let asked: Asked = case.yaml("meta.yaml")?;
    let found = custody::compute_columns_for_custody_group(case.spec()?, asked.custody_group)?;
    ensure!(found == asked.result, "found {found:?}");
    Ok(())
}

fn gossip(case: &Case) -> super::Result {
    let meta: Meta = case.yaml("meta.yaml")?;
    let store = Store::new(case, &meta)?;
    let mut receiver = Receiver {
        available: Availability::new(case.spec()?, (0..128).collect(), Limits::default()),
        store,
        seen: SeenSidecars::default(),
    };
    for SeenHeader { block_root, header } in &meta.seen_partial_data_column_headers {
        receiver.seen.insert_partial_data_column_header(block_root.parse()?, read(case, header)?);
    }
    for (place, message) in meta.messages.iter().enumerate() {
        let now = meta.current_time_ms.checked_add_signed(message.offset_ms).context("no such time")?;
        let found = receiver.receive(case, message, Time(now))?;
        let kind = match found {
            Verdict::Accept => "valid",
            Verdict::Ignore(_) => "ignore",
            Verdict::Reject(_) => "reject",
        };
        let reason = found.why().map(|why| why.0);
        ensure!(
            kind == message.expected && reason == message.reason.as_deref(),
            "message {place}: {found:?}, expected {} ({:?})",
            message.expected,
            message.reason
        );
    }
    Ok(())
}

/// What a node knows when a message arrives.
struct Receiver {
    store: Store,
    seen: SeenSidecars,
    available: Availability,
}

impl Receiver {
    fn receive(&mut self, case: &Case, message: &Message, now: Time) -> anyhow::Result<Verdict> {
        let Self { store, seen, available } = self;
        let state = &store.state;
        let subnet = message.subnet_id.unwrap_or_default();
        let (verdict, sidecar) = match case.handler.as_str() {
            "gossip_blob_sidecar" => {
                let sidecar: Arc<BlobSidecar> = Arc::new(read(case, &message.message)?);
                let checked = validate_blob_sidecar_gossip(seen, store, state, &sidecar, now, subnet);
                let sidecar = Sidecar::Blob(sidecar);
                let proofs = (sidecar.verify_kzg_proofs(), INVALID_BLOB_KZG_PROOF);
                (judge(checked, proofs, |facts| facts.mark_seen(seen)), sidecar)
            }
            "gossip_data_column_sidecar" => {
                let sidecar: Arc<DataColumnSidecar> = Arc::new(read(case, &message.message)?);
                let checked = validate_data_column_sidecar_gossip(seen, store, state, &sidecar, now, subnet);
                let sidecar = Sidecar::Column(sidecar);
                let proofs = (sidecar.verify_kzg_proofs(), INVALID_SIDECAR_KZG_PROOFS);
                (judge(checked, proofs, |facts| facts.mark_seen(seen)), sidecar)
            }
            "gossip_partial_data_column_sidecar" => return self.receive_partial(case, message, now),
            other => bail!("no rules for {other}"),
        };
        if verdict == Verdict::Accept {
            let (root, index) = (sidecar.block_root(), sidecar.index());
            available.insert_verified(sidecar)?;
            ensure!(available.get(&root, index).is_some(), "the store lost a valid sidecar");
        }
        Ok(verdict)
    }

    fn receive_partial(&mut self, case: &Case, message: &Message, now: Time) -> anyhow::Result<Verdict> {
        let Self { store, seen, .. } = self;
        let sidecar: PartialDataColumnSidecar = read(case, &message.message)?;
        let group: PartialDataColumnGroupID = read(case, message.group_id.as_deref().context("no group")?)?;
        let column = message.column_index.context("no column")?;
        let checked =
            validate_partial_data_column_sidecar_gossip(seen, store, &store.state, &sidecar, now, &group);
        let mut commitments = Vec::new();
        let verdict = judge(checked, (true, INVALID_SIDECAR_KZG_PROOFS), |facts| {
            facts.mark_seen(seen);
            commitments.clone_from(&facts.header.kzg_commitments);
        });
        // The header is remembered before its cells are verified.
        let verify = columns::verify_partial_data_column_sidecar_kzg_proofs;
        if verdict == Verdict::Accept && !verify(&sidecar, &commitments, column) {
            return Ok(Verdict::Reject(INVALID_SIDECAR_KZG_PROOFS));
        }
        Ok(verdict)
    }
}

fn read<T: Ssz>(case: &Case, name: &str) -> anyhow::Result<T> {
    case.ssz(&format!("{name}.ssz"))
}

/// The verdict: of the rules, then of the signatures, then of the proofs.
fn judge<F>(
    checked: Result<Checked<F>, Verdict>,
    proofs: (bool, Why),
    mark_seen: impl FnOnce(&F),
) -> Verdict {
    let Checked { signatures, facts } = match checked {
        Ok(checked) => checked,
        Err(verdict) => return verdict,
    };
    let wrong = |(set, why): &(SignatureSet, Why)| (!set.verify()).then_some(*why);
    if let Some(why) = signatures.iter().find_map(wrong) {
        return Verdict::Reject(why);
    }
    if !proofs.0 {
        return Verdict::Reject(proofs.1);
    }
    mark_seen(&facts);
    Verdict::Accept
}

/// The blocks that a node has seen before the messages of a case arrive. The first one is that of the state; no
/// message builds on another valid one that would need a state of its own.
struct Store {
    state: BeaconState,
    first: Root,
    /// The slot, the parent, and whether it is valid.
    blocks: BTreeMap<Root, (Slot, Root, bool)>,
    finalized: Checkpoint,
}

impl Store {
    fn new(case: &Case, meta: &Meta) -> anyhow::Result<Self> {
        let state = case.state("state.ssz")?;
        let mut blocks = BTreeMap::new();
        let mut first = None;
        for Block { block, failed } in &meta.blocks {
            let signed: SignedBeaconBlock = read(case, block)?;
            let root = signed.message.hash_tree_root(state.ctx());
            first.get_or_insert((root, signed.message.slot));
            blocks.insert(root, (signed.message.slot, signed.message.parent_root, !failed));
        }
        let (first, slot) = first.context("no block")?;
        let finalized = match &meta.finalized_checkpoint {
            None => Checkpoint { epoch: slot.epoch(state.spec()), root: first },
            Some(Finalized { epoch, root: Some(root), block: None }) => {
                Checkpoint { epoch: Epoch(*epoch), root: root.parse()? }
            }
            Some(Finalized { epoch, root: None, block: Some(block) }) => {
                let signed: SignedBeaconBlock = read(case, block)?;
                Checkpoint { epoch: Epoch(*epoch), root: signed.message.hash_tree_root(state.ctx()) }
            }
            Some(_) => return Err(anyhow!("a checkpoint has either a root or a block")),
        };
        Ok(Self { state, first, blocks, finalized })
    }
}

impl HeaderStore for Store {
    fn parent(&self, root: &Root) -> KnownParent {
        match self.blocks.get(root) {
            None => KnownParent::Unseen,
            Some((_, _, false)) => KnownParent::Invalid,
            Some((slot, _, true)) => KnownParent::Valid { slot: *slot },
        }
    }

    fn finalized_checkpoint(&self) -> Checkpoint {
        self.finalized.clone()
    }

    fn get_checkpoint_block(&self, root: &Root, epoch: Epoch) -> Option<Root> {
        let start = epoch.start_slot(self.state.spec());
        let mut root = *root;
        loop {
            let (slot, parent, _) = self.blocks.get(&root)?;
            if *slot <= start {
                return Some(root);
            }
            root = *parent;
        }
    }

    fn expected_proposer(&self, parent: &Root, slot: Slot) -> Option<ValidatorIndex> {
        let mut state = self.state.clone();
        if *parent != self.first || slot.0.checked_sub(state.slot.0)? > SLOTS_MAX {
            return None;
        }
        if state.slot < slot {
            process_slots(&mut state, slot).ok()?;
        }
        get_beacon_proposer_index(&state).ok()
    }
}
