//! An execution chain in memory, with a deposit contract on it.

use deposits::{
    Answer, Consumed, DepositLog, DepositTree, Eth1Chain, ExecutionBlock, Follower, Input, Output, Request,
    Trouble,
};
use std::sync::Arc;
use types::{BlsPubkey, DepositData, DepositRequest, Eth1Data, Gwei, Root, Spec, Time};

/// Seconds from one block to the next.
pub const BLOCK_TIME: u64 = 12;
pub const GENESIS_TIME: u64 = 1_000_000;

/// Minimal's preset with a short follow distance.
pub fn spec() -> &'static Spec {
    let spec = Spec::minimal();
    let mut config = spec.config.clone();
    (config.eth1_follow_distance, config.seconds_per_eth1_block) = (4, BLOCK_TIME);
    Spec::new(spec.preset.clone(), config).unwrap()
}

/// The same deposit for the same index, in any chain.
pub fn request(index: u64) -> DepositRequest {
    let mut pubkey = BlsPubkey::ZERO;
    pubkey.0[..8].copy_from_slice(&(index + 1).to_le_bytes());
    DepositRequest { pubkey, amount: Gwei(32_000_000_000), index, ..DepositRequest::default() }
}

pub fn data(index: u64) -> DepositData {
    let DepositRequest { pubkey, withdrawal_credentials, amount, signature, .. } = request(index);
    DepositData { pubkey, withdrawal_credentials, amount, signature }
}

pub fn tree_of(count: u64) -> DepositTree {
    let mut tree = DepositTree::default();
    tree.append(&(0..count).map(data).collect::<Vec<_>>()).unwrap();
    tree
}

/// A chain: for each block its hash and the deposits in it.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    blocks: Vec<(Root, u64)>,
    /// Logs of deposits that the engine leaves out.
    pub hidden: Vec<u64>,
    /// The most blocks that it searches for logs.
    pub range_max: Option<u64>,
    pub is_offline: bool,
    pub requests: Vec<Request>,
}

impl Chain {
    pub fn hash(&self, number: u64) -> Root {
        self.blocks[number as usize].0
    }

    pub fn timestamp(number: u64) -> u64 {
        GENESIS_TIME + number * BLOCK_TIME
    }

    /// Appends blocks with these many deposits each; the branch makes their hashes.
    pub fn grow(&mut self, branch: u8, deposits: impl IntoIterator<Item = u64>) {
        for count in deposits {
            let mut hash = Root::from([branch; 32]);
            hash.0[..8].copy_from_slice(&(self.blocks.len() as u64).to_le_bytes());
            self.blocks.push((hash, count));
        }
    }

    /// Leaves only the first blocks.
    pub fn cut(&mut self, length: usize) {
        self.blocks.truncate(length);
    }

    /// The deposits up to a block, itself included.
    pub fn count_at(&self, number: u64) -> u64 {
        self.blocks[..=number as usize].iter().map(|(_, count)| count).sum()
    }

    pub fn eth1_data(&self, number: u64) -> Eth1Data {
        let deposit_count = self.count_at(number);
        Eth1Data { deposit_root: tree_of(deposit_count).root(), deposit_count, block_hash: self.hash(number) }
    }

    fn block(&self, number: u64) -> Option<ExecutionBlock> {
        let (hash, _) = *self.blocks.get(number as usize)?;
        let parent_hash = number.checked_sub(1).map_or(Root::ZERO, |parent| self.hash(parent));
        Some(ExecutionBlock { hash, parent_hash, number, timestamp: Self::timestamp(number) })
    }

    fn logs(&self, first: u64, last: u64) -> Vec<DepositLog> {
        let mut logs = Vec::new();
        for number in first..=last.min(self.blocks.len() as u64 - 1) {
            let count = self.count_at(number);
            for index in count - self.blocks[number as usize].1..count {
                let log = DepositLog {
                    block_number: number,
                    block_hash: self.hash(number),
                    deposit: request(index),
                };
                logs.push(log);
            }
        }
        logs.retain(|log| !self.hidden.contains(&log.deposit.index));
        logs
    }

    fn answer(&mut self, request: Request) -> Answer {
        self.requests.push(request);
        if self.is_offline {
            return Answer::Failed("connection refused".to_owned());
        }
        match request {
            Request::LatestBlock => Answer::Block(self.block(self.blocks.len() as u64 - 1)),
            Request::BlockByHash(hash) => {
                let place = self.blocks.iter().position(|(known, _)| *known == hash);
                Answer::Block(place.and_then(|number| self.block(number as u64)))
            }
            Request::Blocks { first, last } => {
                assert!(last - first < deposits::BLOCKS_PER_REQUEST_MAX);
                Answer::Blocks((first..=last).map(|number| self.block(number)).collect())
            }
            Request::DepositLogs { first, last } => match self.range_max {
                Some(most) if last - first + 1 > most => Answer::Refused("too many blocks".to_owned()),
                _ => Answer::Logs(self.logs(first, last)),
            },
        }
    }
}

/// A follower with its engine and a clock.
pub struct World {
    pub now: Time,
    pub chain: Chain,
    pub follower: Follower,
    pub published: Vec<Arc<Eth1Chain>>,
    pub troubles: Vec<Trouble>,
    pub is_finished: bool,
}

impl World {
    pub fn new(chain: Chain, follower: Follower) -> Self {
        // The newest block has just come.
        let now = Time((Chain::timestamp(chain.blocks.len() as u64 - 1) + 1) * 1000);
        Self { now, chain, follower, published: Vec::new(), troubles: Vec::new(), is_finished: false }
    }

    /// Lets the follower do all that it wants to until a time in seconds.
    pub fn run_until(&mut self, seconds: u64) {
        self.drain();
        while let Some(deadline) = self.follower.deadline().filter(|at| at.0 <= seconds * 1000) {
            self.now = self.now.max(deadline);
            self.follower.handle(self.now, Input::Tick);
            self.drain();
        }
        self.now = Time(seconds * 1000);
    }

    pub fn tell(&mut self, consumed: Consumed) {
        self.follower.handle(self.now, Input::Consumed(consumed));
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.follower.poll() {
            match output {
                Output::Ask(request) => {
                    let answer = self.chain.answer(request);
                    self.follower.handle(self.now, Input::Answer(answer));
                }
                Output::Changed(chain) => self.published.push(chain),
                Output::Trouble(trouble) => self.troubles.push(trouble),
                Output::Finished => self.is_finished = true,
            }
        }
    }

    pub fn latest(&self) -> &Eth1Chain {
        self.published.last().expect("something was published")
    }
}
