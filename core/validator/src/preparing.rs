//! Fees: the node is told each epoch who wants those of blocks that our validators propose, since it forgets after two.
//!
//! [Validator guide](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/validator.md#executionpayload).

use types::{Epoch, ExecutionAddress, ForkName};

use crate::Duties;
use crate::duties::Purpose;
use crate::traffic::Ask;

/// Who gets the fees, and when the node was told last.
#[derive(Debug)]
pub(crate) struct Fees {
    recipient: Option<ExecutionAddress>,
    told: Option<Epoch>,
}

impl Fees {
    pub(crate) fn new(recipient: Option<ExecutionAddress>) -> Self {
        Self { recipient, told: None }
    }

    /// The node does not know what it was told, or not all of it.
    pub(crate) fn forget(&mut self) {
        self.told = None;
    }
}

impl Duties {
    /// Tells the node, once an epoch and whenever keys join. Before Bellatrix there are no fees; its last epoch is in
    /// time for the first payload.
    pub(crate) fn prepare_beacon_proposer(&mut self) {
        let Some(recipient) = self.fees.recipient else { return };
        let epoch = self.current_slot().unwrap_or_default().epoch(self.spec);
        let is_time = self.now >= self.first_fetch() && self.fees.told.is_none_or(|told| told < epoch);
        if !is_time || self.spec.fork_name_at_epoch(epoch + 1) < ForkName::Bellatrix {
            return;
        }
        let validators = self.active_indices();
        if !validators.is_empty() {
            self.fees.told = Some(epoch);
            let recipients = validators.into_iter().map(|index| (index, recipient)).collect();
            self.ask(Purpose::Fees, Ask::PrepareBeaconProposer(recipients));
        }
    }

    /// A node without the endpoint says so every time, so there is no haste.
    pub(crate) fn fees_failed(&mut self) {
        let at = self.now.after_ms(self.spec.config.slot_duration_ms);
        self.delay(at, Purpose::Fees);
    }
}
