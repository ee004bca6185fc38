//! What an engine is asked.

use std::sync::Arc;

use types::{ExecutionAddress, ExecutionPayload, ExecutionRequests, FixedBytes, ForkName, Root, Withdrawal};

/// A request, by the number that its sender gave it. Each gets exactly one [`crate::EngineReply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EngineCallId(pub u64);

/// The name that an engine gave to a payload it is building. Another engine does not know it.
pub type PayloadId = FixedBytes<8>;

/// What an engine is asked. The fork, which is that of the payload's slot, chooses the version of the method.
///
/// Order matters: a [`Self::ForkchoiceUpdated`] must not overtake an earlier one, so whoever carries requests sends
/// these two kinds one after the other, and all others as they come.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineRequest {
    /// Execute a payload. It is answered with [`crate::EngineReply::NewPayload`].
    NewPayload(Arc<NewPayload>),
    /// Adopt a head, and build on it where attributes are given. It is answered with
    /// [`crate::EngineReply::ForkchoiceUpdated`].
    ForkchoiceUpdated {
        /// The fork of the payload to build; of the head where none is.
        fork: ForkName,
        /// The head, and the blocks that will not be reverted.
        state: ForkchoiceState,
        /// What to build, if anything.
        attributes: Option<PayloadAttributes>,
    },
    /// Hand over the payload that was built. It is answered with [`crate::EngineReply::Payload`].
    GetPayload {
        /// The fork of the payload.
        fork: ForkName,
        /// The name that the engine gave it.
        id: PayloadId,
    },
    /// Hand over blobs of the transaction pool, by the hashes of their commitments. It is answered with
    /// [`crate::EngineReply::Blobs`].
    GetBlobs {
        /// The fork of the block that the blobs are for: its proofs are of whole blobs before Fulu, of cells since.
        fork: ForkName,
        /// At most 128 hashes.
        versioned_hashes: Vec<Root>,
    },
    /// Tell of an execution block: of a block of proof of work, or whether the engine has a block at all. It is answered
    /// with [`crate::EngineReply::PowBlock`].
    GetPowBlock {
        /// The block's hash; none asks for the newest block.
        hash: Option<Root>,
    },
    /// Hand over the transactions and withdrawals of blocks. It is answered with [`crate::EngineReply::Bodies`].
    GetPayloadBodies {
        /// At most 32 block hashes.
        hashes: Vec<Root>,
    },
}

/// A payload with all that is needed to execute it: `NewPayloadRequest` of the specification and its fork.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPayload {
    /// The fork of the block's slot.
    pub fork: ForkName,
    /// The payload.
    pub payload: ExecutionPayload,
    /// The hashes of the block's commitments, in their order; empty before Deneb.
    pub versioned_hashes: Vec<Root>,
    /// The parent root of the beacon block; not looked at before Deneb.
    pub parent_beacon_block_root: Root,
    /// The requests of the beacon block; not looked at before Electra.
    pub execution_requests: ExecutionRequests,
}

impl NewPayload {
    /// What makes the payload invalid whatever an engine says: no engine has to be asked about such a one.
    ///
    /// It is `verify_and_notify_new_payload` of the specification without the notification.
    pub fn fault(&self) -> Option<&'static str> {
        let Self { fork, payload, parent_beacon_block_root, execution_requests, .. } = self;
        if !crate::is_valid_block_hash(*fork, payload, *parent_beacon_block_root, execution_requests) {
            return Some("the block hash is not that of the payload");
        }
        if *fork >= ForkName::Deneb && !crate::is_valid_versioned_hashes(payload, &self.versioned_hashes) {
            return Some("the blob commitments are not those of the payload's transactions");
        }
        None
    }
}

/// The engine's part of the fork choice: hashes of execution blocks, zero before there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ForkchoiceState {
    pub head_block_hash: Root,
    pub safe_block_hash: Root,
    pub finalized_block_hash: Root,
}

/// What a payload is to be built of.
///
/// [`PayloadAttributes`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/fork-choice.md#modified-payloadattributes)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PayloadAttributes {
    /// In seconds.
    pub timestamp: u64,
    pub prev_randao: Root,
    pub suggested_fee_recipient: ExecutionAddress,
    /// Not looked at before Capella.
    pub withdrawals: Vec<Withdrawal>,
    /// Not looked at before Deneb.
    pub parent_beacon_block_root: Root,
}
