//! What validators and users hand over through the API: the same rules as for gossip, with answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use fork_choice::Node;
use transition::accessors::get_committee_count_per_slot;
use types::{
    Attestation, AttestationData, BeaconBlock, CommitteeIndex, Root, SingleAttestation, SyncCommitteeMessage,
};

use crate::chain::Chain;
use crate::gossip::{compute_subnet_for_attestation, compute_subnets_for_sync_committee};
use crate::incoming::{Incoming, Origin};
use crate::limits::{COMMAND_ITEMS_MAX, COMMANDS_MAX};
use crate::{Command, CommandId, GossipMessage, ItemFailure, Output, PublishOutcome, Reply};

/// A command that was not answered yet.
#[derive(Debug)]
pub(crate) enum OpenCommand {
    /// A block is being built.
    Production,
    /// A block is being verified and imported. What is to be published of it only once it was executed is held.
    Block { held: Option<Vec<GossipMessage>> },
    /// Items are being verified.
    Items { open: usize, failures: Vec<ItemFailure> },
}

impl Chain {
    /// Puts what a command publishes to the rules.
    pub(crate) fn publish(&mut self, id: CommandId, command: Command) {
        let busy = (self.commands.len() >= COMMANDS_MAX).then_some("too many commands are under way");
        let messages: Vec<(usize, GossipMessage)> = match command {
            Command::PublishBlock(published) => return self.publish_block(id, published, None, busy),
            Command::PublishBlockOnceExecuted(published) => {
                return self.publish_block(id, published, Some(Vec::new()), busy);
            }
            Command::PublishSyncMessages(messages) => return self.publish_sync_messages(id, messages, busy),
            Command::PublishAttestations(items) => {
                numbered(items, |attestation| self.with_subnet(attestation))
            }
            Command::PublishSingleAttestations(items) => {
                numbered(items, |attestation| self.single_with_subnet(attestation))
            }
            Command::PublishAggregates(items) => numbered(items, GossipMessage::Aggregate),
            Command::PublishContributions(items) => numbered(items, GossipMessage::Contribution),
            Command::SubmitBlsToExecutionChanges(items) => {
                numbered(items, GossipMessage::BlsToExecutionChange)
            }
            Command::SubmitVoluntaryExit(exit) => vec![(0, GossipMessage::VoluntaryExit(exit))],
            Command::SubmitProposerSlashing(slashing) => vec![(0, GossipMessage::ProposerSlashing(slashing))],
            Command::SubmitAttesterSlashing(slashing) => vec![(0, GossipMessage::AttesterSlashing(slashing))],
            Command::ProduceBlock { .. }
            | Command::PrepareBeaconProposer(_)
            | Command::SetCustody(_)
            | Command::Flush => {
                unreachable!("they publish nothing")
            }
        };
        let refusal =
            busy.or((messages.len() > COMMAND_ITEMS_MAX).then_some("too many items in one request"));
        self.publish_items(id, messages, refusal);
    }

    fn publish_items(&mut self, id: CommandId, messages: Vec<(usize, GossipMessage)>, refusal: Option<&str>) {
        if messages.is_empty() {
            return self.outputs.push_back(Output::Reply(id, Reply::Items(Vec::new())));
        }
        self.commands.insert(id, OpenCommand::Items { open: messages.len(), failures: Vec::new() });
        self.take_items(id, messages, refusal);
    }

    fn take_items(&mut self, id: CommandId, messages: Vec<(usize, GossipMessage)>, refusal: Option<&str>) {
        for (index, message) in messages {
            match refusal {
                Some(why) => self.item_done(id, index, Some(why.to_owned())),
                None => {
                    self.take(Incoming { origin: Origin::Command(id, index), message, arrived: self.now })
                }
            }
        }
    }

    /// A vote of the sync committee goes to each subnet in which its validator has a place.
    fn publish_sync_messages(
        &mut self,
        id: CommandId,
        messages: Vec<Arc<SyncCommitteeMessage>>,
        refusal: Option<&str>,
    ) {
        let too_many = (messages.len() > COMMAND_ITEMS_MAX).then_some("too many items in one request");
        let (mut items, mut strangers) = (Vec::new(), Vec::new());
        for (index, message) in messages.into_iter().enumerate() {
            let state = self.state_for_sync_committee(message.slot);
            let places = compute_subnets_for_sync_committee(state, message.validator_index);
            let subnets: BTreeSet<u64> = places.into_iter().map(|(subnet, _)| subnet).collect();
            if subnets.is_empty() {
                let message = "the validator is not in the sync committee".to_owned();
                strangers.push(ItemFailure { index, message });
            }
            let on =
                |subnet| (index, GossipMessage::SyncCommitteeMessage { subnet, message: message.clone() });
            items.extend(subnets.into_iter().map(on));
        }
        if items.is_empty() {
            return self.outputs.push_back(Output::Reply(id, Reply::Items(strangers)));
        }
        self.commands.insert(id, OpenCommand::Items { open: items.len(), failures: strangers });
        self.take_items(id, items, refusal.or(too_many));
    }

    /// The subnet of an attestation follows from the number of committees in its epoch.
    fn with_subnet(&self, attestation: Arc<Attestation>) -> GossipMessage {
        let subnet = self.subnet_of(&attestation.data, attestation.data.index);
        GossipMessage::Attestation { subnet, attestation }
    }

    fn single_with_subnet(&self, attestation: Arc<SingleAttestation>) -> GossipMessage {
        let subnet = self.subnet_of(&attestation.data, attestation.committee_index);
        GossipMessage::SingleAttestation { subnet, attestation }
    }

    fn subnet_of(&self, data: &AttestationData, index: CommitteeIndex) -> u64 {
        let epoch = data.slot.epoch(self.spec);
        // Of a block that is not known yet the head's state tells as much, since registries change slowly; where it
        // does not, the rules refuse the subnet.
        let state = self.state_for_committees(&data.beacon_block_root, epoch);
        let state = state.unwrap_or_else(|| self.head.state.clone());
        let count = get_committee_count_per_slot(&state, epoch);
        compute_subnet_for_attestation(self.spec, count, data.slot, index)
    }

    /// Publishes a part of a block of the API, now or once the block was executed.
    pub(crate) fn broadcast(&mut self, id: CommandId, message: GossipMessage) {
        match self.commands.get_mut(&id) {
            Some(OpenCommand::Block { held: Some(held) }) => held.push(message),
            _ => self.outputs.push_back(Output::Publish(message)),
        }
    }

    /// Publishes what was held of a block of the API: the state transition takes it.
    pub(crate) fn broadcast_held(&mut self, id: CommandId, root: &Root, block: &BeaconBlock) {
        let Some(OpenCommand::Block { held }) = self.commands.get_mut(&id) else { return };
        let Some(messages) = held.take() else { return };
        let is_other = |node: Node| node.proposer_index == block.proposer_index && node.root != *root;
        if self.fork_choice.blocks_at(block.slot).any(is_other) {
            let why = "the proposer has signed another block of the slot".to_owned();
            return self.block_reply(id, PublishOutcome::Invalid(why));
        }
        self.outputs.extend(messages.into_iter().map(Output::Publish));
    }

    /// Answers for a block of the API that was not imported: it was broadcast, or held back to the end.
    pub(crate) fn block_not_imported(&mut self, id: CommandId, why: String) {
        let is_held = matches!(self.commands.get(&id), Some(OpenCommand::Block { held: Some(_) }));
        let outcome = if is_held { PublishOutcome::Invalid(why) } else { PublishOutcome::BroadcastOnly(why) };
        self.block_reply(id, outcome);
    }

    /// Notes the end of an item, and answers the command with the last one.
    pub(crate) fn item_done(&mut self, id: CommandId, index: usize, failure: Option<String>) {
        let Some(OpenCommand::Items { open, failures }) = self.commands.get_mut(&id) else { return };
        failures.extend(failure.map(|message| ItemFailure { index, message }));
        *open -= 1;
        if *open > 0 {
            return;
        }
        if let Some(OpenCommand::Items { mut failures, .. }) = self.commands.remove(&id) {
            failures.sort_by_key(|failure| failure.index);
            self.outputs.push_back(Output::Reply(id, Reply::Items(failures)));
        }
    }
}

/// The items of a command, each with its place.
fn numbered<T>(items: Vec<T>, message: impl Fn(T) -> GossipMessage) -> Vec<(usize, GossipMessage)> {
    items.into_iter().map(message).enumerate().collect()
}
