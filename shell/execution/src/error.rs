//! Why a call to an engine brought no answer.

use engine::EngineFailure;
use types::ForkName;

use crate::codec::Malformed;

/// Why a call brought no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No connection, or one that broke.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// No whole answer within the method's time.
    #[error("no answer to {method} within {timeout_ms} ms")]
    Timeout {
        /// The method.
        method: &'static str,
        /// Its time.
        timeout_ms: u64,
    },
    /// The engine does not accept our token: another secret, or clocks that differ by more than a minute.
    #[error(
        "does not accept our JWT ({status}): it has another secret than we, or the clocks differ by over 60 seconds"
    )]
    Unauthorized {
        /// The HTTP status, 401 or 403.
        status: u16,
    },
    /// The engine is of another chain.
    #[error("is of chain {found}, but this network's is {expected} (DEPOSIT_CHAIN_ID)")]
    WrongChain {
        /// The chain id that it names.
        found: u64,
        /// The chain id of our network.
        expected: u64,
    },
    /// An HTTP status other than 200, without a JSON-RPC error.
    #[error("HTTP status {status}: {body}")]
    Http {
        /// The status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// A larger answer than the method may have.
    #[error("the answer to {method} has more than {limit} bytes")]
    TooLarge {
        /// The method.
        method: &'static str,
        /// The bound, in bytes.
        limit: usize,
    },
    /// An answer that is no JSON-RPC answer to our request.
    #[error("no JSON-RPC answer to {method}: {why}")]
    NotRpc {
        /// The method.
        method: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A result that is not of the method's form.
    #[error("unexpected answer to {method}: {what}")]
    Malformed {
        /// The method.
        method: &'static str,
        /// What is wrong with it, and where.
        what: Malformed,
    },
    /// The engine answered with an error.
    #[error("{method}: {message} ({code})")]
    Refused {
        /// The method.
        method: &'static str,
        /// The code of JSON-RPC or of the Engine API.
        code: i64,
        /// The engine's words, shortened.
        message: String,
    },
    /// No method does this at this fork.
    #[error("there is no {what} at {fork}")]
    NoSuchMethod {
        /// What was to be done.
        what: &'static str,
        /// The fork.
        fork: ForkName,
    },
}

/// JSON-RPC: the engine does not know the method.
pub(crate) const METHOD_NOT_FOUND: i64 = -32601;
/// JSON-RPC and Engine API: the engine failed in some way that has no code.
const INTERNAL_ERRORS: [i64; 2] = [-32603, -32000];

impl EngineError {
    /// True where another engine may do better: everything but a refusal that names a fault of the request.
    pub(crate) fn is_the_engines(&self) -> bool {
        match self {
            Self::Refused { code, .. } => *code == METHOD_NOT_FOUND || INTERNAL_ERRORS.contains(code),
            Self::NoSuchMethod { .. } => false,
            _ => true,
        }
    }
}

impl From<EngineError> for EngineFailure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Refused { code, message, .. } => Self::Refused { code, message },
            EngineError::NoSuchMethod { what, fork } => Self::NoSuchMethod { what, fork },
            EngineError::NotRpc { .. } | EngineError::Malformed { .. } | EngineError::TooLarge { .. } => {
                Self::Malformed(error.to_string())
            }
            _ => Self::Unreachable(error.to_string()),
        }
    }
}
