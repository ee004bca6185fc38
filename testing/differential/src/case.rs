//! One question that every implementation is asked: a state, what is done to it, and whether signatures count.

use std::fmt;

use serde::{Deserialize, Serialize};
use transition::epoch::EpochStep;
use types::{BeaconState, ForkName, Root};

/// What is done to the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Signed blocks, one after the other. The state root that a block names is not looked at.
    Blocks,
    /// So many slots without blocks.
    Slots(u64),
    /// One operation, by the name of the vectors' handler.
    Operation(String),
    /// One step of the epoch, by the name of the vectors' handler.
    Epoch(String),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocks => f.write_str("blocks"),
            Self::Slots(count) => write!(f, "{count} slots"),
            Self::Operation(name) => write!(f, "operation {name}"),
            Self::Epoch(name) => write!(f, "epoch step {name}"),
        }
    }
}

/// The operations that can be asked for alone, with their containers and the first forks that have them.
pub const OPERATIONS: [(&str, &str, ForkName, ForkName); 13] = [
    ("attestation", "Attestation", ForkName::Phase0, ForkName::Fulu),
    ("attester_slashing", "AttesterSlashing", ForkName::Phase0, ForkName::Fulu),
    ("block_header", "BeaconBlock", ForkName::Phase0, ForkName::Fulu),
    ("proposer_slashing", "ProposerSlashing", ForkName::Phase0, ForkName::Fulu),
    ("voluntary_exit", "SignedVoluntaryExit", ForkName::Phase0, ForkName::Fulu),
    // From Fulu on blocks have no deposits.
    ("deposit", "Deposit", ForkName::Phase0, ForkName::Electra),
    ("sync_aggregate", "SyncAggregate", ForkName::Altair, ForkName::Fulu),
    ("execution_payload", "BeaconBlockBody", ForkName::Bellatrix, ForkName::Fulu),
    ("withdrawals", "ExecutionPayload", ForkName::Capella, ForkName::Fulu),
    ("bls_to_execution_change", "SignedBLSToExecutionChange", ForkName::Capella, ForkName::Fulu),
    ("deposit_request", "DepositRequest", ForkName::Electra, ForkName::Fulu),
    ("withdrawal_request", "WithdrawalRequest", ForkName::Electra, ForkName::Fulu),
    ("consolidation_request", "ConsolidationRequest", ForkName::Electra, ForkName::Fulu),
];

/// The step of an epoch that the vectors call so.
pub fn step_of(handler: &str) -> Option<EpochStep> {
    EpochStep::ALL.iter().copied().find(|step| vector_name_of(*step) == handler)
}

/// What the vectors call a step of the epoch.
pub fn vector_name_of(step: EpochStep) -> &'static str {
    step.name().trim_start_matches("process_")
}

/// The container that an operation's bytes encode.
pub fn container_of(operation: &str) -> Option<&'static str> {
    OPERATIONS.iter().find(|(name, ..)| *name == operation).map(|(_, container, ..)| *container)
}

/// A question, in bytes.
#[derive(Clone, Debug)]
pub struct Case {
    /// The fork of the state; it and all before it begin at genesis, those after it never.
    pub fork: ForkName,
    /// `minimal` or `mainnet`.
    pub preset: String,
    /// What is done.
    pub action: Action,
    /// Whether signatures are verified. Those of deposits are in any case.
    pub signatures: bool,
    /// The state before.
    pub pre: Vec<u8>,
    /// The blocks, or the operation.
    pub inputs: Vec<Vec<u8>>,
}

#[cfg(test)]
impl Case {
    /// A case for tests in which nobody runs it.
    pub fn without_state() -> Self {
        Self {
            fork: ForkName::Phase0,
            preset: "minimal".to_owned(),
            action: Action::Slots(1),
            signatures: false,
            pre: Vec::new(),
            inputs: Vec::new(),
        }
    }
}

/// What came of a case.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The state after, where it is at hand, and its root.
    Accepted {
        /// Its root.
        root: Root,
        /// Its encoding, where it was asked for.
        post: Option<Vec<u8>>,
    },
    /// Refused, and why in the implementation's words.
    Refused(String),
    /// A panic: never right.
    Panicked(String),
    /// A foreign implementation gave no answer; the case proves nothing.
    NoAnswer(String),
}

impl Outcome {
    /// That of our state.
    pub fn of_state(state: &BeaconState) -> Self {
        Self::Accepted { root: state.state_root(), post: Some(state.encoded()) }
    }

    /// True where both say the same. No answer agrees with everything, a panic with nothing.
    pub fn agrees_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Accepted { root: a, .. }, Self::Accepted { root: b, .. }) => a == b,
            (Self::Refused(_), Self::Refused(_)) => true,
            (Self::NoAnswer(_), _) | (_, Self::NoAnswer(_)) => true,
            _ => false,
        }
    }

    /// The encoding of the state after.
    pub fn post(&self) -> Option<&[u8]> {
        match self {
            Self::Accepted { post, .. } => post.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { root, .. } => write!(f, "accepted, state root {root}"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Panicked(why) => write!(f, "PANICKED: {why}"),
            Self::NoAnswer(why) => write!(f, "no answer: {why}"),
        }
    }
}
