//! A small execution engine: it knows blocks by hash and parent, builds payloads without transactions, and behaves as it
//! is told.

use std::collections::{BTreeMap, BTreeSet};

use engine::{
    BlobAndProofs, BlobsBundle, BuiltPayload, EngineFailure, EngineReply, EngineRequest, NewPayload,
    PayloadAttributes, PayloadId, PayloadStatus, PayloadVerdict, PowBlock, block_hash, rlp,
};
use transition::block::kzg_commitment_to_versioned_hash;
use types::{Bytes, ExecutionPayload, ExecutionRequests, FixedBytes, ForkName, Root, Uint256};

/// How an engine behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Working,
    /// It says that it syncs, whatever it is asked.
    Syncing,
    /// It does not answer.
    Down,
}

/// An engine that knows its first block.
#[derive(Clone, Debug)]
pub struct TestEngine {
    pub mood: Mood,
    /// Hashes of blocks that it finds invalid.
    pub invalid: BTreeSet<Root>,
    /// What it executed: parents and numbers by hash.
    pub blocks: BTreeMap<Root, (Root, u64)>,
    /// What is said of proof of work.
    pub pow_blocks: BTreeMap<Root, PowBlock>,
    pub head: Root,
    pub safe: Root,
    pub finalized: Root,
    /// What it was asked, by kind.
    pub asked: BTreeMap<&'static str, usize>,
    /// The blobs that payloads are built with since Deneb.
    pub bundle: BlobsBundle,
    /// Blobs of the transaction pool, by the hashes of their commitments.
    pub pool: BTreeMap<Root, BlobAndProofs>,
    building: BTreeMap<PayloadId, (Root, PayloadAttributes)>,
}

impl TestEngine {
    pub fn new(genesis: Root) -> Self {
        Self {
            mood: Mood::Working,
            invalid: BTreeSet::new(),
            blocks: BTreeMap::from([(genesis, (Root::ZERO, 0))]),
            pow_blocks: BTreeMap::new(),
            head: genesis,
            safe: Root::ZERO,
            finalized: Root::ZERO,
            asked: BTreeMap::new(),
            bundle: BlobsBundle::default(),
            pool: BTreeMap::new(),
            building: BTreeMap::new(),
        }
    }

    pub fn answer(&mut self, request: &EngineRequest) -> EngineReply {
        let kind = match request {
            EngineRequest::NewPayload(_) => "new_payload",
            EngineRequest::ForkchoiceUpdated { attributes: None, .. } => "forkchoice",
            EngineRequest::ForkchoiceUpdated { .. } => "build",
            EngineRequest::GetPayload { .. } => "get_payload",
            EngineRequest::GetPowBlock { .. } => "get_pow_block",
            EngineRequest::GetBlobs { .. } => "get_blobs",
            _ => "other",
        };
        *self.asked.entry(kind).or_default() += 1;
        match (self.mood, request) {
            (Mood::Down, _) => EngineReply::Failed(EngineFailure::Unreachable("it is down".to_owned())),
            (Mood::Syncing, EngineRequest::GetPowBlock { .. }) => EngineReply::PowBlock(None),
            (Mood::Syncing, EngineRequest::NewPayload(_)) => {
                EngineReply::NewPayload(PayloadStatus::of(PayloadVerdict::Syncing))
            }
            (Mood::Syncing, EngineRequest::ForkchoiceUpdated { .. }) => EngineReply::ForkchoiceUpdated {
                status: PayloadStatus::of(PayloadVerdict::Syncing),
                payload_id: None,
            },
            (_, EngineRequest::NewPayload(payload)) => EngineReply::NewPayload(self.new_payload(payload)),
            (_, EngineRequest::ForkchoiceUpdated { state, attributes, .. }) => {
                let status = self.status(state.head_block_hash);
                let mut payload_id = None;
                if status.verdict == PayloadVerdict::Valid {
                    (self.head, self.safe) = (state.head_block_hash, state.safe_block_hash);
                    self.finalized = state.finalized_block_hash;
                    if let Some(attributes) = attributes {
                        let mut id = [0; 8];
                        id[..4].copy_from_slice(&state.head_block_hash.0[..4]);
                        id[4..].copy_from_slice(&(attributes.timestamp as u32).to_le_bytes());
                        self.building.insert(FixedBytes(id), (self.head, attributes.clone()));
                        payload_id = Some(FixedBytes(id));
                    }
                }
                EngineReply::ForkchoiceUpdated { status, payload_id }
            }
            (_, EngineRequest::GetPayload { fork, id }) => match self.building.get(id) {
                Some((head, attributes)) => {
                    EngineReply::Payload(Box::new(self.build(*fork, *head, attributes)))
                }
                None => EngineReply::Failed(EngineFailure::Refused {
                    code: -38001,
                    message: "Unknown payload".to_owned(),
                }),
            },
            (_, EngineRequest::GetPowBlock { hash }) => EngineReply::PowBlock(match hash {
                Some(hash) => self.pow_block(*hash),
                None => self.pow_block(self.head),
            }),
            (_, EngineRequest::GetBlobs { versioned_hashes, .. }) => {
                let blobs = versioned_hashes.iter().map(|hash| self.pool.get(hash).cloned());
                EngineReply::Blobs(blobs.collect())
            }
            (_, other) => panic!("the test's engine does not know {other:?}"),
        }
    }

    /// It no longer knows what it was asked to build.
    pub fn forget_payloads(&mut self) {
        self.building.clear();
    }

    fn pow_block(&self, hash: Root) -> Option<PowBlock> {
        let known = self.blocks.get(&hash).map(|(parent_hash, _)| PowBlock {
            block_hash: hash,
            parent_hash: *parent_hash,
            total_difficulty: Some(Uint256::default()),
        });
        self.pow_blocks.get(&hash).copied().or(known)
    }

    fn new_payload(&mut self, request: &NewPayload) -> PayloadStatus {
        let payload = &request.payload;
        if let Some(why) = request.fault() {
            let status = PayloadStatus::of(PayloadVerdict::InvalidBlockHash);
            return PayloadStatus { validation_error: Some(why.to_owned()), ..status };
        }
        if let Some((_, number)) = self.blocks.get(&payload.parent_hash) {
            assert_eq!(payload.block_number, number + 1);
            self.blocks.insert(payload.block_hash, (payload.parent_hash, payload.block_number));
        }
        self.status(payload.block_hash)
    }

    fn status(&self, hash: Root) -> PayloadStatus {
        let (mut at, mut latest_valid) = (hash, hash);
        while let Some((parent, _)) = self.blocks.get(&at) {
            if self.invalid.contains(&at) {
                latest_valid = *parent;
            }
            at = *parent;
        }
        if !self.blocks.contains_key(&hash) {
            return PayloadStatus::of(PayloadVerdict::Syncing);
        }
        match latest_valid == hash {
            true => PayloadStatus::valid(hash),
            false => PayloadStatus {
                latest_valid_hash: Some(latest_valid),
                validation_error: Some("as it was told".to_owned()),
                ..PayloadStatus::of(PayloadVerdict::Invalid)
            },
        }
    }

    fn build(&self, fork: ForkName, head: Root, attributes: &PayloadAttributes) -> BuiltPayload {
        let (_, number) = self.blocks[&head];
        let mut payload = ExecutionPayload {
            parent_hash: head,
            fee_recipient: attributes.suggested_fee_recipient,
            prev_randao: attributes.prev_randao,
            block_number: number + 1,
            gas_limit: 30_000_000,
            timestamp: attributes.timestamp,
            base_fee_per_gas: Uint256::from(7),
            withdrawals: attributes.withdrawals.clone(),
            ..ExecutionPayload::default()
        };
        let blobs_bundle = match fork >= ForkName::Deneb {
            true => self.bundle.clone(),
            false => BlobsBundle::default(),
        };
        if !blobs_bundle.commitments.is_empty() {
            let hashes = blobs_bundle.commitments.iter().map(kzg_commitment_to_versioned_hash);
            payload.transactions = vec![blob_transaction(hashes)];
        }
        let requests = ExecutionRequests::default();
        payload.block_hash = block_hash(fork, &payload, attributes.parent_beacon_block_root, &requests);
        BuiltPayload {
            fork,
            payload,
            block_value: Uint256::from(5),
            blobs_bundle,
            should_override_builder: false,
            execution_requests: requests,
        }
    }
}

/// A transaction that names blobs, and says nothing else.
fn blob_transaction(hashes: impl Iterator<Item = Root>) -> Bytes {
    const FIELDS_BEFORE: usize = 10;
    let (mut fields, mut list) = (vec![0x80; FIELDS_BEFORE], Vec::new());
    hashes.for_each(|hash| rlp::bytes(&mut list, &hash.0));
    rlp::list(&mut fields, &list);
    fields.extend([0x80; 3]);
    let mut out = vec![3];
    rlp::list(&mut out, &fields);
    Bytes(out)
}
