//! The engine itself: a function of requests and time.

use std::collections::VecDeque;

use engine::{
    BlobAndProofs, EngineFailure, EngineReply, EngineRequest, ExecutionHeader, ForkchoiceState, NewPayload,
    PayloadAttributes, PayloadBody, PayloadId, PayloadStatus, PayloadVerdict, blob_versioned_hashes,
    keccak256,
};
use execution::{DepositLog, method};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use types::{Bytes, ExecutionPayload, ExecutionRequests, FixedBytes, ForkName, Root, Uint256};

use crate::blobs::{GAS_PER_BLOB, MockBlob};
use crate::build::{Contents, build, proofs};
use crate::conduct::{Conduct, Lie, Schedule};
use crate::deposits::DepositSchedule;
use crate::tree::{MockBlock, Standing, Tree};

/// The payloads being built, and the blobs of the pool, that are kept; the oldest goes for one more.
const BUILDING_MAX: usize = 32;
const POOL_MAX: usize = 128;

/// What an engine is.
#[derive(Clone, Debug)]
pub struct MockConfig {
    /// Its chain id.
    pub chain_id: u64,
    /// Its first block; see [`MockConfig::genesis_block`].
    pub genesis: MockBlock,
    /// The forks that it knows of; none takes every method's word for it.
    pub schedule: Option<Schedule>,
    /// The transactions that it puts into a payload, without that of the blobs. They are random bytes.
    pub transactions_per_block: usize,
    /// The blobs that it puts into a payload since Deneb.
    pub blobs_per_block: usize,
    /// The deposits that its blocks bring.
    pub deposits: DepositSchedule,
    /// What all randomness is drawn from.
    pub seed: u64,
}

impl MockConfig {
    /// A first block with a hash of its own at a time in seconds.
    pub fn genesis_block(timestamp: u64) -> MockBlock {
        let hash = Self::genesis_payload(timestamp).block_hash;
        MockBlock { hash, parent_hash: Root::ZERO, number: 0, timestamp, payload: None }
    }

    /// The same block as a payload, for the genesis state of a network that begins after the merge.
    pub fn genesis_payload(timestamp: u64) -> ExecutionPayload {
        let header = ExecutionHeader {
            transactions_root: engine::EMPTY_TRIE_ROOT,
            receipts_root: engine::EMPTY_TRIE_ROOT,
            gas_limit: 30_000_000,
            timestamp,
            extra_data: Bytes(b"interlock mock engine".to_vec()),
            base_fee_per_gas: Uint256::from(7),
            ..ExecutionHeader::default()
        };
        ExecutionPayload {
            receipts_root: header.receipts_root,
            gas_limit: header.gas_limit,
            timestamp,
            extra_data: header.extra_data.clone(),
            base_fee_per_gas: header.base_fee_per_gas,
            block_hash: header.hash(),
            ..ExecutionPayload::default()
        }
    }
}

impl Default for MockConfig {
    fn default() -> Self {
        Self {
            chain_id: 1,
            genesis: Self::genesis_block(0),
            schedule: None,
            transactions_per_block: 2,
            blobs_per_block: 0,
            deposits: DepositSchedule::default(),
            seed: 0,
        }
    }
}

/// An engine that executes nothing.
#[derive(Debug)]
pub struct MockEngine {
    pub(crate) config: MockConfig,
    pub(crate) conduct: Conduct,
    pub(crate) tree: Tree,
    pub(crate) forkchoice: ForkchoiceState,
    building: VecDeque<(PayloadId, Root, PayloadAttributes)>,
    pool: VecDeque<MockBlob>,
    requests: ExecutionRequests,
    pub(crate) deposit_logs: Vec<DepositLog>,
}

/// The Engine API's codes for what is wrong with a request.
const UNKNOWN_PAYLOAD: (i64, &str) = (-38001, "Unknown payload");
const INVALID_FORKCHOICE_STATE: (i64, &str) = (-38002, "Invalid forkchoice state");
const INVALID_ATTRIBUTES: (i64, &str) = (-38003, "Invalid payload attributes");
const TOO_LARGE: (i64, &str) = (-38004, "Too large request");
const UNSUPPORTED_FORK: (i64, &str) = (-38005, "Unsupported fork");

type Refusal = (i64, &'static str);

impl MockEngine {
    /// An engine that knows its first block.
    pub fn new(config: MockConfig, conduct: Conduct) -> Self {
        let genesis = config.genesis.clone();
        let forkchoice = ForkchoiceState { head_block_hash: genesis.hash, ..ForkchoiceState::default() };
        Self {
            config,
            conduct,
            tree: Tree::new(genesis),
            forkchoice,
            building: VecDeque::new(),
            pool: VecDeque::new(),
            requests: ExecutionRequests::default(),
            deposit_logs: Vec::new(),
        }
    }

    /// How it behaves from now on.
    pub fn conduct_mut(&mut self) -> &mut Conduct {
        &mut self.conduct
    }

    /// The first block's hash.
    pub fn genesis_hash(&self) -> Root {
        self.tree.genesis
    }

    /// The fork choice that it was told last.
    pub fn forkchoice(&self) -> ForkchoiceState {
        self.forkchoice
    }

    /// A block that it knows.
    pub fn block(&self, hash: Root) -> Option<&MockBlock> {
        self.tree.get(hash)
    }

    /// Puts requests into every payload that it builds, since Electra, until it is given one that has them.
    pub fn request(&mut self, requests: ExecutionRequests) {
        self.requests = requests;
    }

    /// Puts a blob into the pool; the oldest goes for one too many.
    pub fn add_blob(&mut self, blob: MockBlob) {
        if self.pool.iter().any(|known| known.versioned_hash == blob.versioned_hash) {
            return;
        }
        if self.pool.len() == POOL_MAX {
            self.pool.pop_front();
        }
        self.pool.push_back(blob);
    }

    /// The deposits that blocks bring, to be changed for those that nobody has seen.
    pub fn deposits_mut(&mut self) -> &mut DepositSchedule {
        &mut self.config.deposits
    }

    /// Has the deposit contract log a deposit in a block that need not be there.
    pub fn add_deposit_log(&mut self, log: DepositLog) {
        self.deposit_logs.push(log);
    }

    /// True while it says that it syncs; times in milliseconds of whoever calls.
    pub fn is_syncing(&self, now_ms: u64) -> bool {
        now_ms < self.conduct.syncing_until_ms || self.conduct.lie == Some(Lie::AllSyncing)
    }

    /// The one reply to a request.
    pub fn handle(&mut self, now_ms: u64, request: &EngineRequest) -> EngineReply {
        let reply = match request {
            EngineRequest::NewPayload(request) => {
                self.new_payload(now_ms, request).map(EngineReply::NewPayload)
            }
            EngineRequest::ForkchoiceUpdated { fork, state, attributes } => self
                .forkchoice_updated(now_ms, *fork, *state, attributes.as_ref())
                .map(|(status, payload_id)| EngineReply::ForkchoiceUpdated { status, payload_id }),
            EngineRequest::GetPayload { fork, id } => self.get_payload(*fork, *id),
            EngineRequest::GetBlobs { fork, versioned_hashes } => self.get_blobs(*fork, versioned_hashes),
            EngineRequest::GetPayloadBodies { hashes } => self.get_bodies(hashes),
            EngineRequest::GetPowBlock { hash } => {
                let block = self.block(hash.unwrap_or(self.forkchoice.head_block_hash));
                Ok(EngineReply::PowBlock(block.map(MockBlock::pow_block)))
            }
        };
        reply.unwrap_or_else(|(code, message)| {
            EngineReply::Failed(EngineFailure::Refused { code, message: message.to_owned() })
        })
    }

    /// Refuses a method of another version than the time asks for, where the forks' times are known.
    fn check_version(
        &self,
        fork: ForkName,
        timestamp: u64,
        version: fn(ForkName) -> Option<&'static method::Method>,
    ) -> Result<(), Refusal> {
        let expected = self.config.schedule.map_or(fork, |schedule| schedule.fork_at(timestamp));
        if version(fork).is_none() || version(fork) != version(expected) {
            return Err(UNSUPPORTED_FORK);
        }
        Ok(())
    }

    fn new_payload(&mut self, now_ms: u64, request: &NewPayload) -> Result<PayloadStatus, Refusal> {
        let payload = &request.payload;
        self.check_version(request.fork, payload.timestamp, method::new_payload)?;
        let hash = payload.block_hash;
        match self.conduct.lie {
            Some(Lie::AllValid) => return Ok(PayloadStatus::valid(hash)),
            Some(Lie::AllInvalid) => return Ok(self.all_invalid()),
            _ => {}
        }
        if let Some(why) = request.fault() {
            let is_first_version = request.fork == ForkName::Bellatrix;
            let verdict =
                if is_first_version { PayloadVerdict::InvalidBlockHash } else { PayloadVerdict::Invalid };
            return Ok(PayloadStatus {
                validation_error: Some(why.to_owned()),
                ..PayloadStatus::of(verdict)
            });
        }
        self.tree.insert(
            MockBlock {
                hash,
                parent_hash: payload.parent_hash,
                number: payload.block_number,
                timestamp: payload.timestamp,
                payload: Some(payload.clone()),
            },
            self.is_bad(request),
        );
        if request.execution_requests == self.requests_of(payload.block_number) {
            self.requests = ExecutionRequests::default();
        }
        if self.conduct.adopts_orphans {
            self.tree.adopt(hash);
        }
        Ok(self.status(now_ms, hash))
    }

    /// What the payload of a number asks for, since Electra: the deposits that it logs, and what it was told to.
    fn requests_of(&self, number: u64) -> ExecutionRequests {
        let mut requests = self.requests.clone();
        requests.deposits.splice(..0, self.config.deposits.of_block(number));
        requests
    }

    /// What is wrong with a payload by itself and by its parent, where that is known.
    fn is_bad(&self, request: &NewPayload) -> bool {
        let payload = &request.payload;
        let blob_gas = if request.fork >= ForkName::Deneb {
            blob_versioned_hashes(payload).map_or(u64::MAX, |hashes| hashes.len() as u64 * GAS_PER_BLOB)
        } else {
            payload.blob_gas_used
        };
        let fits = self.tree.get(payload.parent_hash).is_none_or(|parent| {
            parent.number.checked_add(1) == Some(payload.block_number) && payload.timestamp > parent.timestamp
        });
        !fits
            || self.conduct.invalid_at == Some(payload.block_number)
            || payload.gas_used > payload.gas_limit
            || payload.blob_gas_used != blob_gas
    }

    fn all_invalid(&self) -> PayloadStatus {
        invalid(self.tree.genesis, "a lie")
    }

    /// What it says of a block that it may know.
    fn status(&self, now_ms: u64, hash: Root) -> PayloadStatus {
        if self.is_syncing(now_ms) {
            return PayloadStatus::of(PayloadVerdict::Syncing);
        }
        match self.tree.standing(hash) {
            Some(Standing::Valid) => PayloadStatus::valid(hash),
            Some(Standing::Invalid { latest_valid }) => invalid(latest_valid, "it or an ancestor is invalid"),
            Some(Standing::Orphan) | None => PayloadStatus::of(PayloadVerdict::Syncing),
        }
    }

    fn forkchoice_updated(
        &mut self,
        now_ms: u64,
        fork: ForkName,
        state: ForkchoiceState,
        attributes: Option<&PayloadAttributes>,
    ) -> Result<(PayloadStatus, Option<PayloadId>), Refusal> {
        let head = state.head_block_hash;
        if head.is_zero() {
            return Err(INVALID_FORKCHOICE_STATE);
        }
        let status = match self.conduct.lie {
            Some(Lie::AllValid) => PayloadStatus::valid(head),
            Some(Lie::AllInvalid) => self.all_invalid(),
            _ => self.status(now_ms, head),
        };
        if status.verdict != PayloadVerdict::Valid {
            return Ok((status, None));
        }
        let is_on_the_way = |hash: Root| hash.is_zero() || self.tree.is_ancestor(hash, head);
        // An engine that adopts blocks does not have what came before them.
        let is_known = self.tree.is_ancestor(self.tree.genesis, head);
        if is_known && !(is_on_the_way(state.safe_block_hash) && is_on_the_way(state.finalized_block_hash)) {
            return Err(INVALID_FORKCHOICE_STATE);
        }
        self.forkchoice = state;
        let (Some(attributes), Some(block)) = (attributes, self.tree.get(head)) else {
            return Ok((status, None));
        };
        if attributes.timestamp <= block.timestamp {
            return Err(INVALID_ATTRIBUTES);
        }
        self.check_version(fork, attributes.timestamp, method::forkchoice_updated)?;
        let id = payload_id(head, attributes);
        if !self.building.iter().any(|(known, ..)| *known == id) {
            if self.building.len() == BUILDING_MAX {
                self.building.pop_front();
            }
            self.building.push_back((id, head, attributes.clone()));
        }
        Ok((status, Some(id)))
    }

    fn get_payload(&mut self, fork: ForkName, id: PayloadId) -> Result<EngineReply, Refusal> {
        let (_, head, attributes) =
            self.building.iter().find(|(known, ..)| *known == id).ok_or(UNKNOWN_PAYLOAD)?;
        let parent = self.tree.get(*head).ok_or(UNKNOWN_PAYLOAD)?;
        self.check_version(fork, attributes.timestamp, method::get_payload)?;
        let contents = Contents {
            transactions: self.config.transactions_per_block,
            blobs: self.config.blobs_per_block,
            requests: &self.requests_of(parent.number + 1),
            lie: self.conduct.lie,
        };
        let mut random = ChaCha8Rng::seed_from_u64(self.config.seed ^ u64::from_be_bytes(id.0));
        let (built, blobs) = build(fork, parent, attributes, contents, &mut random);
        if !self.conduct.hides_blobs {
            blobs.into_iter().for_each(|blob| self.add_blob(blob));
        }
        Ok(EngineReply::Payload(Box::new(built)))
    }

    fn get_blobs(&self, fork: ForkName, hashes: &[Root]) -> Result<EngineReply, Refusal> {
        if hashes.len() > 128 {
            return Err(TOO_LARGE);
        }
        let of_the_pool = |hash: &Root| {
            let blob = self.pool.iter().find(|blob| blob.versioned_hash == *hash)?;
            Some(BlobAndProofs { blob: blob.blob.clone(), proofs: proofs(fork, blob) })
        };
        let mut blobs: Vec<Option<BlobAndProofs>> = hashes.iter().map(of_the_pool).collect();
        if fork >= ForkName::Fulu && blobs.iter().any(Option::is_none) {
            blobs.fill(None);
        }
        Ok(EngineReply::Blobs(blobs))
    }

    fn get_bodies(&self, hashes: &[Root]) -> Result<EngineReply, Refusal> {
        if hashes.len() > 32 {
            return Err(TOO_LARGE);
        }
        Ok(EngineReply::Bodies(hashes.iter().map(|hash| self.body(*hash)).collect()))
    }

    pub(crate) fn body(&self, hash: Root) -> Option<PayloadBody> {
        let payload = self.tree.get(hash)?.payload.as_ref()?;
        let has_withdrawals = self
            .config
            .schedule
            .is_none_or(|schedule| schedule.fork_at(payload.timestamp) >= ForkName::Capella);
        Some(PayloadBody {
            transactions: payload.transactions.clone(),
            withdrawals: has_withdrawals.then(|| payload.withdrawals.clone()),
        })
    }
}

fn invalid(latest_valid: Root, why: &str) -> PayloadStatus {
    PayloadStatus {
        verdict: PayloadVerdict::Invalid,
        latest_valid_hash: Some(latest_valid),
        validation_error: Some(why.to_owned()),
    }
}

/// The same head and attributes give the same name, as the Engine API wants it.
fn payload_id(head: Root, attributes: &PayloadAttributes) -> PayloadId {
    let json = execution::codec::attributes_to_json(ForkName::Deneb, attributes).to_string();
    let hash = keccak256(&[head.0.as_slice(), json.as_bytes()].concat());
    FixedBytes(hash.0[..8].try_into().expect("32 bytes begin with 8"))
}
