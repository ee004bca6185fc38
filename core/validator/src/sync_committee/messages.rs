//! Votes: for the head of the slot, as soon as it is there or a third of the slot is over.

use types::{BlsPubkey, BlsSignature, ForkName, Root, Slot, SyncCommitteeMessage, ValidatorIndex};

use super::SyncPurpose;
use crate::Duties;
use crate::duties::Purpose;
use crate::traffic::{Ask, Duty};

impl Duties {
    /// Works on the votes of the current slot.
    pub(crate) fn vote_for_sync(&mut self) {
        let Some(slot) = self.current_slot().filter(|slot| *slot >= self.sync.next_close) else { return };
        if self.members_of(slot).is_empty() {
            return;
        }
        self.sync_prove(slot);
        // The head event of the slot says that there is nothing to wait for.
        if self.now < self.sync_message_due(slot) && self.head_slot != Some(slot) {
            return;
        }
        let voters = self.votes_to_cast(slot);
        let work = self.sync.slot(slot);
        if let Some(root) = work.root {
            self.cast(slot, root, &voters);
        } else if !work.root_asked && !voters.is_empty() {
            work.root_asked = true;
            self.ask(Purpose::Sync(SyncPurpose::Head(slot)), Ask::HeadRoot(slot));
        }
    }

    fn votes_to_cast(&self, slot: Slot) -> Vec<(BlsPubkey, ValidatorIndex)> {
        let voted = self.sync.slots.get(&slot).map(|work| &work.voted);
        let members = self.members_of(slot).iter().map(|duty| (duty.pubkey, duty.validator_index));
        members.filter(|(_, index)| voted.is_none_or(|voted| !voted.contains(index))).collect()
    }

    fn cast(&mut self, slot: Slot, root: Root, voters: &[(BlsPubkey, ValidatorIndex)]) {
        if voters.is_empty() {
            return;
        }
        let of: Vec<ValidatorIndex> = voters.iter().map(|(_, index)| *index).collect();
        self.sync.slot(slot).voted.extend(of.iter().copied());
        let request =
            |(key, _): &(BlsPubkey, _)| self.domains.get_sync_committee_message_signature(*key, slot, &root);
        let requests = voters.iter().map(request).collect();
        self.sign(Purpose::Sync(SyncPurpose::Signatures(slot, root, of)), requests);
    }

    pub(super) fn sync_head_failed(&mut self, slot: Slot, why: &str) {
        self.again(Purpose::Sync(SyncPurpose::Head(slot)), self.start_of(slot + 1));
        self.sync.slot(slot).failure = Some(format!("the node named no head: {why}"));
    }

    pub(super) fn sync_votes_signed(
        &mut self,
        slot: Slot,
        beacon_block_root: Root,
        of: Vec<ValidatorIndex>,
        results: Vec<Result<BlsSignature, String>>,
    ) {
        if results.len() != of.len() {
            return self.missed(Duty::SyncMessage(slot), of, "the signer answered with too few signatures");
        }
        let (mut messages, mut voters) = (Vec::new(), Vec::new());
        for (validator_index, result) in of.into_iter().zip(results) {
            match result {
                Ok(signature) => {
                    let message =
                        SyncCommitteeMessage { slot, beacon_block_root, validator_index, signature };
                    messages.push(message);
                    voters.push(validator_index);
                }
                Err(why) => {
                    let why = format!("it was not signed: {why}");
                    self.missed(Duty::SyncMessage(slot), vec![validator_index], why);
                }
            }
        }
        if !messages.is_empty() {
            let purpose = SyncPurpose::Publication(slot, beacon_block_root, voters);
            self.ask(Purpose::Sync(purpose), Ask::PublishSyncMessages(messages));
        }
    }

    pub(super) fn close_sync_votes(&mut self, slot: Slot) {
        if self.spec.fork_name_at_slot(slot) < ForkName::Altair {
            return;
        }
        self.note_late(self.period_of((slot + 1).epoch(self.spec)));
        let left = self.votes_to_cast(slot).into_iter().map(|(_, index)| index).collect();
        let work = self.sync.slots.get(&slot);
        let failure = work.and_then(|work| work.failure.clone());
        let why = match (failure, work.is_some_and(|work| work.root_asked)) {
            (Some(why), _) => why,
            (None, true) => "the node named no head in time".to_owned(),
            (None, false) => "it was learned too late, or the clock leapt over the slot".to_owned(),
        };
        self.missed(Duty::SyncMessage(slot), left, why);
    }
}
