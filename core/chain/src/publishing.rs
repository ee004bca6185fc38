//! What validators and users hand over through the API: the same rules as for gossip, with answers.

use std::sync::Arc;

use transition::accessors::get_committee_count_per_slot;
use types::Attestation;

use crate::chain::Chain;
use crate::gossip::compute_subnet_for_attestation;
use crate::incoming::{Incoming, Origin};
use crate::limits::{COMMAND_ITEMS_MAX, COMMANDS_MAX};
use crate::{Command, CommandId, GossipMessage, ItemFailure, Output, PublishOutcome, Reply};

/// A command that was not answered yet.
#[derive(Debug)]
pub(crate) enum OpenCommand {
    /// A block is being built.
    Production,
    /// A block is being verified and imported.
    Block,
    /// Items are being verified.
    Items { open: usize, failures: Vec<ItemFailure> },
}

impl Chain {
    /// Puts what a command publishes to the rules.
    pub(crate) fn publish(&mut self, id: CommandId, command: Command) {
        let busy = (self.commands.len() >= COMMANDS_MAX).then_some("too many commands are under way");
        let messages: Vec<GossipMessage> = match command {
            Command::PublishBlock(block) => return self.publish_block(id, GossipMessage::Block(block), busy),
            Command::PublishAttestations(attestations) => {
                attestations.into_iter().map(|attestation| self.with_subnet(attestation)).collect()
            }
            Command::PublishAggregates(aggregates) => {
                aggregates.into_iter().map(GossipMessage::Aggregate).collect()
            }
            Command::SubmitVoluntaryExit(exit) => vec![GossipMessage::VoluntaryExit(exit)],
            Command::SubmitProposerSlashing(slashing) => vec![GossipMessage::ProposerSlashing(slashing)],
            Command::SubmitAttesterSlashing(slashing) => vec![GossipMessage::AttesterSlashing(slashing)],
            Command::ProduceBlock { .. } | Command::Flush => unreachable!("they publish nothing"),
        };
        let refusal =
            busy.or((messages.len() > COMMAND_ITEMS_MAX).then_some("too many items in one request"));
        self.publish_items(id, messages, refusal);
    }

    fn publish_block(&mut self, id: CommandId, message: GossipMessage, refusal: Option<&str>) {
        if let Some(why) = refusal {
            let outcome = PublishOutcome::Invalid(why.to_owned());
            return self.outputs.push_back(Output::Reply(id, Reply::Block(outcome)));
        }
        self.commands.insert(id, OpenCommand::Block);
        self.take(Incoming { origin: Origin::Command(id, 0), message, arrived: self.now });
    }

    fn publish_items(&mut self, id: CommandId, messages: Vec<GossipMessage>, refusal: Option<&str>) {
        if messages.is_empty() {
            return self.outputs.push_back(Output::Reply(id, Reply::Items(Vec::new())));
        }
        self.commands.insert(id, OpenCommand::Items { open: messages.len(), failures: Vec::new() });
        for (index, message) in messages.into_iter().enumerate() {
            match refusal {
                Some(why) => self.item_done(id, index, Some(why.to_owned())),
                None => {
                    self.take(Incoming { origin: Origin::Command(id, index), message, arrived: self.now })
                }
            }
        }
    }

    /// The subnet of an attestation follows from the number of committees in its epoch.
    fn with_subnet(&self, attestation: Arc<Attestation>) -> GossipMessage {
        let data = &attestation.data;
        let epoch = data.slot.epoch(self.spec);
        // Of a block that is not known yet the head's state tells as much, since registries change slowly; where it
        // does not, the rules refuse the subnet.
        let state = self.state_for_committees(&data.beacon_block_root, epoch);
        let state = state.unwrap_or_else(|| self.head.state.clone());
        let count = get_committee_count_per_slot(&state, epoch);
        let subnet = compute_subnet_for_attestation(self.spec, count, data.slot, data.index);
        GossipMessage::Attestation { subnet, attestation }
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
