//! The machine that follows the deposit contract on the execution chain.
//!
//! ```text
//!   wait ──▶ LatestBlock ──▶ last block of a range ──▶ its logs ──▶ its blocks, where they may be voted for ──▶ checks
//!    ▲             │                    ▲                                                                        │
//!    │             ▼ nothing new        └──────────────────── the next range ◀───────────────────────────────────┤
//!    └───── Output::Changed ◀────────────────────────────────────────────────────────────────── at the end of all┘
//! ```
//!
//! It stays `ETH1_FOLLOW_DISTANCE` blocks behind the newest one, so that an ordinary reorganization of the execution
//! chain does not concern it. A deeper one is noticed, as every block is linked to the one before it, and taken back
//! block by block. One request is under way at a time; what an engine says is checked before anything is changed.
//!
//! Bounds: [`BLOCKS_MAX`] blocks are kept, the oldest goes for one more; deposits are kept until they are finalized; a
//! range has at most [`LOGS_RANGE_MAX`] blocks, half as many after each refusal, and [`LOGS_MAX`] logs: an answer with
//! more counts as a refusal.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;

use types::{BeaconState, Eth1Data, ForkName, Root, Slot, Spec, Time};

use crate::range::Range;
use crate::vote::{follow_time, voting_period_start_slot};
use crate::{
    DepositLog, DepositTree, DepositTreeSnapshot, Eth1Chain, ExecutionBlock, FollowedBlock, RangeFault,
    SnapshotError,
};

/// The blocks that are kept. Mainnet's voting window has 4,800.
pub const BLOCKS_MAX: usize = 8192;
/// The blocks of one range.
pub const LOGS_RANGE_MAX: u64 = 1000;
/// The logs of one range.
pub const LOGS_MAX: usize = 16_384;
/// The blocks of one [`Request::Blocks`].
pub const BLOCKS_PER_REQUEST_MAX: u64 = 64;
/// Blocks that are kept even where they are too old to be voted for, to go back to.
const BLOCKS_MIN: usize = 64;
/// After how many bad answers in a row what was read before them is mistrusted too.
const FAULTS_MAX: u32 = 3;
const FIRST_WAIT_MS: u64 = 1000;
const LONGEST_WAIT_MS: u64 = 60_000;
/// The waits before all is read again double from the first to the last.
const FIRST_RESTART_MS: u64 = 60_000;
const LONGEST_RESTART_MS: u64 = 3_600_000;

/// Where the contract's history begins.
#[derive(Clone, Debug)]
pub enum Origin {
    /// With the first block that can have a log: the one that the contract was deployed with.
    Deployed {
        /// Its number.
        block: u64,
    },
    /// With the deposits of a snapshot that is known to be right, as of a network that begins with validators.
    Snapshot(DepositTreeSnapshot),
}

/// What the beacon chain's finalized state says of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    /// What was agreed on.
    pub eth1_data: Eth1Data,
    /// The deposits that were taken.
    pub eth1_deposit_index: u64,
    /// True where no block will ever take a deposit of the contract's logs again (EIP-6110).
    pub is_over: bool,
}

impl Consumed {
    /// Of a finalized state.
    pub fn of(state: &BeaconState) -> Self {
        let fork = state.fork_name();
        Self {
            eth1_data: state.eth1_data.clone(),
            eth1_deposit_index: state.eth1_deposit_index,
            is_over: fork >= ForkName::Fulu
                || fork >= ForkName::Electra
                    && state.eth1_deposit_index >= state.deposit_requests_start_index,
        }
    }
}

/// What the follower is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed: due at [`Follower::deadline`].
    Tick,
    /// The answer to the last [`Output::Ask`].
    Answer(Answer),
    /// What is finalized: deposits before it need not be kept, and the roots must be equal.
    Consumed(Consumed),
}

/// What is asked of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// The newest block; [`Answer::Block`].
    LatestBlock,
    /// The block with a hash; [`Answer::Block`].
    BlockByHash(Root),
    /// Blocks by number, both included, no more than [`BLOCKS_PER_REQUEST_MAX`]; [`Answer::Blocks`].
    Blocks {
        /// The first number.
        first: u64,
        /// The last number.
        last: u64,
    },
    /// All logs of the deposit contract in blocks by number, both included; [`Answer::Logs`].
    DepositLogs {
        /// The first number.
        first: u64,
        /// The last number.
        last: u64,
    },
}

/// What an engine answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A block, or none where the engine does not have it.
    Block(Option<ExecutionBlock>),
    /// The blocks in the order asked for, each none where the engine does not have it.
    Blocks(Vec<Option<ExecutionBlock>>),
    /// Logs in the order of the chain.
    Logs(Vec<DepositLog>),
    /// The engine refused, or its answer was too large or not readable; a smaller question may do better.
    Refused(String),
    /// The engine did not answer.
    Failed(String),
}

/// What does not go well. The follower goes on by itself; an operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No answer.
    #[error("the engine does not answer: {0}")]
    Unanswered(String),
    /// The logs of a range were refused; fewer blocks are asked for next.
    #[error("the engine refused the deposit logs of blocks {first} to {last}: {why}")]
    LogsRefused {
        /// The first block.
        first: u64,
        /// The last block.
        last: u64,
        /// Why.
        why: String,
    },
    /// What the engine said does not fit together.
    #[error("{0}")]
    Range(#[from] RangeFault),
    /// A block that was followed is no longer part of the chain.
    #[error("the execution chain left block {0} behind, deeper than the follow distance")]
    Reorganized(u64),
    /// The logs lead to another root than the one that is finalized.
    #[error("the logs of the first {count} deposits have the root {found}, finalized is {agreed}")]
    OtherRoot {
        /// The deposits.
        count: u64,
        /// The root by the logs.
        found: Root,
        /// The root of the finalized state.
        agreed: Root,
    },
    /// All from this block on is read again.
    #[error("deposit logs are read again from block {0}")]
    StartOver(u64),
}

/// What the follower wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Ask the engine. Exactly one [`Input::Answer`] is expected.
    Ask(Request),
    /// The chain has gone on: all up to the follow distance is known. What is finalized, and should be stored for a
    /// restart, is [`DepositTree::get_snapshot`] of [`Eth1Chain::tree`].
    Changed(Arc<Eth1Chain>),
    /// Something does not go well.
    Trouble(Trouble),
    /// Deposits come through the execution layer from now on (EIP-6110); nothing will be asked for again.
    Finished,
}

#[derive(Clone, Debug)]
enum Step {
    Waiting {
        until: Time,
    },
    Latest,
    /// For the height of the finalized Eth1 data.
    Height(Eth1Data),
    /// For the last block of a range.
    End(RangeInclusive<u64>),
    /// For the logs of a range.
    Logs {
        numbers: RangeInclusive<u64>,
        end: ExecutionBlock,
    },
    /// For the blocks of a range, by and by.
    Blocks(Range),
    Finished,
}

/// Follows the deposit contract. See the module's description.
#[derive(Debug)]
pub struct Follower {
    spec: &'static Spec,
    /// In seconds.
    genesis_time: u64,
    origin: Origin,
    tree: DepositTree,
    blocks: VecDeque<FollowedBlock>,
    /// The first block that was not read, and the hash of the one before it where it is known.
    next: u64,
    last_hash: Option<Root>,
    /// The newest block to read.
    target: Option<u64>,
    range_max: u64,
    step: Step,
    /// In a row: requests without an answer, answers that do not fit, new beginnings.
    failures: u32,
    faults: u32,
    restarts: u32,
    consumed: Option<Consumed>,
    /// A block that was agreed on, and that the engine does not have.
    unknown: Option<Root>,
    is_changed: bool,
    outputs: VecDeque<Output>,
}

impl Follower {
    /// A follower that has read nothing, or only what a snapshot says that this node has stored. `genesis_time` in
    /// seconds. An error where a snapshot does not add up.
    pub fn new(
        spec: &'static Spec,
        genesis_time: u64,
        origin: Origin,
        stored: Option<DepositTreeSnapshot>,
    ) -> Result<Self, SnapshotError> {
        let mut follower = Self {
            spec,
            genesis_time,
            origin,
            tree: DepositTree::default(),
            blocks: VecDeque::new(),
            next: 0,
            last_hash: None,
            target: None,
            range_max: LOGS_RANGE_MAX,
            step: Step::Waiting { until: Time(0) },
            failures: 0,
            faults: 0,
            restarts: 0,
            consumed: None,
            unknown: None,
            is_changed: true,
            outputs: VecDeque::new(),
        };
        if let Origin::Snapshot(snapshot) = &follower.origin {
            snapshot.check()?;
        }
        match stored {
            Some(snapshot) => follower.begin_with(&snapshot)?,
            None => follower.begin_at_origin(),
        }
        Ok(follower)
    }

    /// Takes one input. Drain [`Self::poll`] before the next.
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Tick => {
                if matches!(self.step, Step::Waiting { until } if until <= now) {
                    self.ask(Step::Latest, Request::LatestBlock);
                }
            }
            Input::Answer(answer) => self.answered(now, answer),
            Input::Consumed(consumed) => self.note_consumed(now, consumed),
        }
    }

    /// The next output, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When it wants [`Input::Tick`]; none while it waits for an answer, and at the end.
    pub fn deadline(&self) -> Option<Time> {
        match self.step {
            Step::Waiting { until } => Some(until),
            _ => None,
        }
    }

    /// The first block that was not read yet.
    pub fn next_block(&self) -> u64 {
        self.next
    }

    /// All that is finalized, to be stored for a restart; none before anything is.
    pub fn get_snapshot(&self) -> Option<DepositTreeSnapshot> {
        self.tree.get_snapshot()
    }

    fn begin_at_origin(&mut self) {
        match self.origin.clone() {
            Origin::Deployed { block } => {
                (self.tree, self.next) = (DepositTree::default(), block);
            }
            Origin::Snapshot(snapshot) => {
                self.begin_with(&snapshot).expect("it was checked in the beginning");
            }
        }
    }

    fn begin_with(&mut self, snapshot: &DepositTreeSnapshot) -> Result<(), SnapshotError> {
        self.tree = DepositTree::from_snapshot(snapshot)?;
        self.next = snapshot.execution_block_height.saturating_add(1);
        Ok(())
    }

    /// Forgets what was read; a second time in a row also what was finalized.
    fn start_over(&mut self, now: Time) {
        self.blocks.clear();
        (self.last_hash, self.faults, self.unknown) = (None, 0, None);
        match self.tree.get_snapshot() {
            Some(snapshot) if self.restarts == 0 => {
                self.begin_with(&snapshot).expect("a tree's own snapshot adds up");
            }
            _ => self.begin_at_origin(),
        }
        self.trouble(Trouble::StartOver(self.next));
        let wait = FIRST_RESTART_MS.saturating_mul(1 << self.restarts.min(16)).min(LONGEST_RESTART_MS);
        self.restarts = self.restarts.saturating_add(1);
        self.step = Step::Waiting { until: now.after_ms(wait) };
    }

    fn ask(&mut self, step: Step, request: Request) {
        self.step = step;
        self.outputs.push_back(Output::Ask(request));
    }

    fn trouble(&mut self, trouble: Trouble) {
        self.outputs.push_back(Output::Trouble(trouble));
    }

    fn answered(&mut self, now: Time, answer: Answer) {
        let idle = Step::Waiting { until: now };
        match (std::mem::replace(&mut self.step, idle), answer) {
            (step @ (Step::Waiting { .. } | Step::Finished), _) => self.step = step,
            (_, Answer::Failed(why)) => self.retry_later(now, Trouble::Unanswered(why)),
            (Step::Logs { numbers, .. }, Answer::Refused(why)) => self.refused(now, &numbers, why),
            (_, Answer::Refused(why)) => self.retry_later(now, Trouble::Unanswered(why)),
            (Step::Latest, Answer::Block(Some(block))) => {
                self.target = block.number.checked_sub(self.spec.config.eth1_follow_distance);
                self.failures = 0;
                self.proceed(now);
            }
            (Step::Height(eth1_data), Answer::Block(block)) => {
                self.failures = 0;
                self.finalize(&eth1_data, block.filter(|block| block.hash == eth1_data.block_hash));
                self.proceed(now);
            }
            (Step::End(numbers), Answer::Blocks(blocks)) => match blocks.first() {
                Some(Some(end)) => {
                    let (first, last) = (*numbers.start(), *numbers.end());
                    let step = Step::Logs { numbers, end: *end };
                    self.ask(step, Request::DepositLogs { first, last });
                }
                _ => self.fault(now, RangeFault::NoBlock(*numbers.end())),
            },
            (Step::Logs { numbers, .. }, Answer::Logs(logs)) if logs.len() > LOGS_MAX => {
                self.refused(now, &numbers, format!("{} logs are too many", logs.len()));
            }
            (Step::Logs { numbers, end }, Answer::Logs(logs)) => {
                let range = Range { numbers, logs, blocks: vec![end] };
                let is_old = end.timestamp < self.window_start(now);
                if is_old || range.numbers.start() == range.numbers.end() {
                    self.take(now, range);
                } else {
                    self.ask_blocks(Range { blocks: Vec::new(), ..range });
                }
            }
            (Step::Blocks(range), Answer::Blocks(blocks)) => self.take_blocks(now, range, blocks),
            _ => self.retry_later(now, Trouble::Unanswered("it answered something else".to_owned())),
        }
    }

    /// Asks for the next range, or waits for the next block.
    fn proceed(&mut self, now: Time) {
        if let Some(eth1_data) = self.wanted_height() {
            let request = Request::BlockByHash(eth1_data.block_hash);
            return self.ask(Step::Height(eth1_data), request);
        }
        match self.target {
            Some(target) if self.next <= target => {
                let last = self.next.saturating_add(self.range_max - 1).min(target);
                self.ask(Step::End(self.next..=last), Request::Blocks { first: last, last });
            }
            _ => {
                self.restarts = 0;
                self.publish();
                self.step = Step::Waiting { until: now.after_ms(self.spec.config.slot_duration_ms) };
            }
        }
    }

    fn publish(&mut self) {
        if std::mem::take(&mut self.is_changed) {
            let chain = Eth1Chain::new(self.blocks.iter().cloned().collect(), self.tree.clone());
            self.outputs.push_back(Output::Changed(Arc::new(chain)));
        }
    }

    fn retry_later(&mut self, now: Time, trouble: Trouble) {
        self.trouble(trouble);
        let wait = FIRST_WAIT_MS.saturating_mul(1 << self.failures.min(16)).min(LONGEST_WAIT_MS);
        self.failures = self.failures.saturating_add(1);
        self.step = Step::Waiting { until: now.after_ms(wait) };
    }

    fn refused(&mut self, now: Time, numbers: &RangeInclusive<u64>, why: String) {
        let trouble = Trouble::LogsRefused { first: *numbers.start(), last: *numbers.end(), why };
        let asked = numbers.end() - numbers.start() + 1;
        if asked == 1 {
            return self.retry_later(now, trouble);
        }
        self.trouble(trouble);
        self.range_max = asked / 2;
        self.proceed(now);
    }

    /// What the engine says does not fit. It may be in the middle of a change; and where it is not, what it said
    /// before may be what is wrong.
    fn fault(&mut self, now: Time, fault: RangeFault) {
        self.faults += 1;
        let is_hopeless = self.faults >= FAULTS_MAX;
        self.retry_later(now, Trouble::Range(fault));
        if is_hopeless {
            self.start_over(now);
        }
    }

    fn ask_blocks(&mut self, range: Range) {
        let first = range.numbers.start() + range.blocks.len() as u64;
        let last = first.saturating_add(BLOCKS_PER_REQUEST_MAX - 1).min(*range.numbers.end());
        self.ask(Step::Blocks(range), Request::Blocks { first, last });
    }

    fn take_blocks(&mut self, now: Time, mut range: Range, blocks: Vec<Option<ExecutionBlock>>) {
        let asked = range.numbers.end() - range.numbers.start() + 1;
        let missing = asked - range.blocks.len() as u64;
        let known = blocks.iter().map_while(|block| *block).take(missing as usize);
        let before = range.blocks.len();
        range.blocks.extend(known);
        if range.blocks.len() == before {
            return self.fault(now, RangeFault::NoBlock(range.numbers.start() + before as u64));
        }
        match range.blocks.len() as u64 == asked {
            true => self.take(now, range),
            false => self.ask_blocks(range),
        }
    }

    /// Checks a range, and makes it part of what is known.
    fn take(&mut self, now: Time, range: Range) {
        if let (Some(last), Some(first)) = (self.last_hash, range.blocks.first())
            && first.number == *range.numbers.start()
            && first.parent_hash != last
        {
            return self.step_back(now);
        }
        let (tree, followed) = match range.apply(&self.tree) {
            Ok(applied) => applied,
            Err(fault) => return self.fault(now, fault),
        };
        if let Some(trouble) = self.other_root(&tree) {
            self.trouble(trouble);
            return self.start_over(now);
        }
        let Some(end) = range.end() else { return self.fault(now, RangeFault::NoBlock(self.next)) };
        self.tree = tree;
        (self.next, self.last_hash) = (end.number + 1, Some(end.hash));
        self.blocks.extend(followed);
        self.forget_old(now);
        (self.failures, self.faults, self.is_changed) = (0, 0, true);
        self.range_max = (self.range_max * 2).min(LOGS_RANGE_MAX);
        self.proceed(now);
    }

    /// Forgets blocks that cannot be voted for, and deposits that were taken long ago.
    fn forget_old(&mut self, now: Time) {
        let window_start = self.window_start(now);
        while self.blocks.len() > BLOCKS_MAX
            || self.blocks.len() > BLOCKS_MIN && self.blocks[0].timestamp < window_start
        {
            self.blocks.pop_front();
        }
        let (Some(consumed), Some(end)) = (&self.consumed, self.blocks.back()) else { return };
        let count = self.tree.count();
        if count < consumed.eth1_data.deposit_count && count <= consumed.eth1_deposit_index {
            self.tree.finalize(&end.eth1_data, end.number).expect("the tree has just got these deposits");
        }
        self.finalize_in_window();
    }

    /// The chain changed below the follow distance: the last block is taken back, and what came with it.
    fn step_back(&mut self, now: Time) {
        self.is_changed = true;
        let left = self.blocks.pop_back();
        self.trouble(Trouble::Reorganized(left.map_or(self.next.saturating_sub(1), |block| block.number)));
        let before = self.blocks.back();
        let tree = before.and_then(|block| self.tree.truncated(block.eth1_data.deposit_count).ok());
        let (Some(block), Some(tree)) = (before, tree) else { return self.start_over(now) };
        (self.next, self.last_hash) = (block.number + 1, Some(block.eth1_data.block_hash));
        self.tree = tree;
        self.range_max = 1;
        self.proceed(now);
    }

    fn note_consumed(&mut self, now: Time, consumed: Consumed) {
        if matches!(self.step, Step::Finished) || self.consumed.as_ref() == Some(&consumed) {
            return;
        }
        if consumed.is_over {
            self.blocks.clear();
            (self.step, self.is_changed) = (Step::Finished, true);
            self.publish();
            return self.outputs.push_back(Output::Finished);
        }
        self.consumed = Some(consumed);
        if let Some(trouble) = self.other_root(&self.tree) {
            self.trouble(trouble);
            return self.start_over(now);
        }
        self.finalize_in_window();
        if matches!(self.step, Step::Waiting { .. }) {
            self.publish();
        }
    }

    fn other_root(&self, tree: &DepositTree) -> Option<Trouble> {
        let Eth1Data { deposit_root, deposit_count, .. } = self.consumed.as_ref()?.eth1_data;
        let found = tree.root_at(deposit_count).ok()?;
        let other = Trouble::OtherRoot { count: deposit_count, found, agreed: deposit_root };
        (found != deposit_root).then_some(other)
    }

    /// What is to be finalized: the agreed data whose deposits were all taken, where that is news.
    fn to_finalize(&self) -> Option<&Eth1Data> {
        let Consumed { eth1_data, eth1_deposit_index, .. } = self.consumed.as_ref()?;
        let is_taken = *eth1_deposit_index >= eth1_data.deposit_count;
        let is_news = self.tree.finalized_block().is_none_or(|(hash, _)| hash != eth1_data.block_hash);
        let is_known = (self.tree.finalized_count()..=self.tree.count()).contains(&eth1_data.deposit_count);
        (is_taken && is_news && is_known).then_some(eth1_data)
    }

    fn finalize_in_window(&mut self) {
        let Some(eth1_data) = self.to_finalize().cloned() else { return };
        let block = self.blocks.iter().find(|block| block.eth1_data == eth1_data);
        if let Some(number) = block.map(|block| block.number) {
            self.tree.finalize(&eth1_data, number).expect("the tree has that many deposits");
            self.is_changed = true;
        }
    }

    /// The agreed data of a block that is too old to be among the blocks that are kept.
    fn wanted_height(&self) -> Option<Eth1Data> {
        self.to_finalize().filter(|eth1_data| self.unknown != Some(eth1_data.block_hash)).cloned()
    }

    fn finalize(&mut self, eth1_data: &Eth1Data, block: Option<ExecutionBlock>) {
        // What is finalized must have been read: a block behind that is of another chain.
        let Some(block) = block.filter(|block| block.number < self.next) else {
            self.unknown = Some(eth1_data.block_hash);
            return;
        };
        self.tree.finalize(eth1_data, block.number).expect("the tree has that many deposits");
        self.is_changed = true;
    }

    /// The time of the oldest block that may be voted for in the present voting period, in seconds.
    fn window_start(&self, now: Time) -> u64 {
        let slot_ms = self.spec.config.slot_duration_ms.max(1);
        let slot = Slot(now.0.saturating_sub(self.genesis_time.saturating_mul(1000)) / slot_ms);
        let start = voting_period_start_slot(self.spec, slot);
        let since_genesis = start.0.saturating_mul(slot_ms) / 1000;
        let period_start = self.genesis_time.saturating_add(since_genesis);
        period_start.saturating_sub(follow_time(self.spec).saturating_mul(2))
    }
}
