//! The validators of a node: their questions, and what the node's API answers.

use chain::{Command, CommandId, Event as ChainEvent, Produced, PublishOutcome, PublishedBlock, Reply, View};
use sync::SyncState;
use types::{BlockContents, BlsPubkey, CommitteeIndex, SignedBlockContents, ValidatorIndex};
use validator::{Answer, Ask, Duty, KeyInfo, Output, RequestId};

use crate::node::Todo;
use crate::packet::Short;
use crate::scenario::Lenience;
use crate::sync_duties::sync_duties;
use crate::world::{Event, World};

/// What the way between validators and their node takes at most, in ms.
const API_MS_MAX: u64 = 8;

impl World {
    /// Gives an input to a node's duties.
    pub(crate) fn duties_input(&mut self, node: usize, input: validator::Input) {
        let clock = self.nodes[node].clock(self.now);
        let generation = self.nodes[node].generation;
        let Some(running) = &mut self.nodes[node].running else { return };
        running.duties.handle(clock, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| running.duties.poll()).collect();
        for output in outputs {
            match output {
                Output::Ask(id, ask) => {
                    let at = self.now.after_ms(self.draw(1..=API_MS_MAX));
                    self.queue.push(at, Event::Ask { node, generation, id, ask: Box::new(ask) });
                }
                Output::Done(done) => {
                    self.counts.done += done.validators.len() as u64;
                    let what = format_args!("did {} for {:?}", done.duty, done.validators);
                    self.trace.note(self.now, node, what);
                }
                Output::Missed(missed) => {
                    let count = missed.validators.len() as u64;
                    self.counts.missed += count;
                    let kind = match missed.duty {
                        Duty::Block(_) => "block",
                        Duty::Attestation(_) => "attestation",
                        Duty::Aggregate(_) => "aggregate",
                        Duty::SyncMessage(_) | Duty::SyncPeriod(_) => "sync message",
                        Duty::Contribution(_) => "contribution",
                        Duty::Epoch(_) => "epoch",
                    };
                    *self.missed.entry(format!("{kind}: {}", missed.why)).or_default() += count;
                    let what =
                        format_args!("missed {} of {:?}: {}", missed.duty, missed.validators, missed.why);
                    self.trace.note(self.now, node, what);
                    if self.scenario.demands.duties == Lenience::Forbidden && self.is_settled(node) {
                        let what = format!("{} of {:?}: {}", missed.duty, missed.validators, missed.why);
                        self.fail(crate::Violation::at("no duty is missed", node, what));
                    }
                }
            }
        }
    }

    /// A question arrives at the node or the signer.
    pub(crate) fn ask(&mut self, node: usize, id: RequestId, ask: Ask) {
        if let Ask::Sign(requests) = &ask {
            let signed = self.nodes[node].signer.sign(requests);
            // Where nothing has to be recorded nothing is written.
            let wait = match signed.records.is_empty() {
                true => 1,
                false => self.draw(1..=self.scenario.work.store_ms_max),
            };
            let generation = self.nodes[node].generation;
            let at = self.now.after_ms(wait);
            return self.queue.push(at, Event::Recorded { node, generation, id, signed });
        }
        let Some(running) = &mut self.nodes[node].running else { return };
        let view = running.chain.view().clone();
        let far = self.scenario.spec.preset.slots_per_epoch;
        if let Some(why) = refusal(far, running.sync_state, &ask).or_else(|| optimistic(&view, &ask)) {
            return self.answer(node, id, Err(why));
        }
        match sort(ask) {
            Asked::Command(command) => {
                let command_id = CommandId(running.next_id());
                running.commands.insert(command_id, (id, self.now));
                self.process(node, vec![Todo::Chain(chain::Input::Command(command_id, command))]);
            }
            Asked::Read(ask) => {
                let result = read(&view, ask);
                self.answer(node, id, result);
            }
        }
    }

    /// The chain has answered a command.
    pub(crate) fn reply(&mut self, node: usize, id: CommandId, reply: Reply) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let Some((request, _)) = running.commands.remove(&id) else {
            let violation =
                crate::Violation::at("one reply for each command", node, format!("{id:?}: {reply:?}"));
            return self.fail(violation);
        };
        let result = match reply {
            Reply::Produced(built) => built.map(|built| {
                let Produced { block, blobs_bundle, .. } = *built;
                let contents =
                    BlockContents { block, kzg_proofs: blobs_bundle.proofs, blobs: blobs_bundle.blobs };
                Answer::Block(Box::new(contents))
            }),
            Reply::Block(PublishOutcome::Imported) => Ok(Answer::Published(Vec::new())),
            Reply::Block(PublishOutcome::BroadcastOnly(why)) => {
                self.trace.note(self.now, node, format_args!("block broadcast only: {why}"));
                Ok(Answer::Published(Vec::new()))
            }
            Reply::Block(PublishOutcome::Invalid(why)) => Ok(Answer::Published(vec![(0, why)])),
            Reply::Items(failures) => {
                let failures = failures.into_iter().map(|failure| (failure.index, failure.message));
                Ok(Answer::Published(failures.collect()))
            }
            Reply::Flushed { .. } => Err("nobody asked for that".to_owned()),
        };
        self.answer(node, request, result);
    }

    /// An answer travels to the validators.
    fn answer(&mut self, node: usize, id: RequestId, result: Result<Answer, String>) {
        let input = match result {
            Ok(answer) => validator::Input::Answer(id, answer),
            Err(why) => {
                self.trace.note(self.now, node, format_args!("question {} has no answer: {why}", id.0));
                validator::Input::Failed(id, why)
            }
        };
        self.tell_validators(node, input);
    }

    fn tell_validators(&mut self, node: usize, input: validator::Input) {
        let at = self.now.after_ms(self.draw(1..=API_MS_MAX));
        let generation = self.nodes[node].generation;
        self.queue.push(at, Event::Deliver { node, generation, todos: vec![Todo::Duties(input)] });
    }

    /// Something that subscribers of the API hear.
    pub(crate) fn event(&mut self, node: usize, event: ChainEvent) {
        match event {
            ChainEvent::Head {
                slot,
                block,
                previous_duty_dependent_root,
                current_duty_dependent_root,
                ..
            } => {
                self.trace.note(self.now, node, format_args!("head {} of slot {slot}", Short(&block)));
                let head = validator::Input::Head {
                    slot,
                    root: block,
                    previous_duty_dependent_root,
                    current_duty_dependent_root,
                };
                self.tell_validators(node, head);
            }
            ChainEvent::ChainReorg { depth, old_head_block, .. } => {
                let what = format_args!("leaves {}, {depth} slots deep", Short(&old_head_block));
                self.trace.note(self.now, node, what);
            }
            ChainEvent::FinalizedCheckpoint { checkpoint, .. } => {
                let what =
                    format_args!("finalizes {} of epoch {}", Short(&checkpoint.root), checkpoint.epoch);
                self.trace.note(self.now, node, what);
            }
            ChainEvent::Block { slot, block } => {
                self.trace.note(self.now, node, format_args!("imports {} of slot {slot}", Short(&block)));
                if self.withheld.contains(&block) && !self.is_byzantine(node) {
                    let what = format!("{} of slot {slot}, whose data nobody has", Short(&block));
                    self.fail(crate::Violation::at("no block is imported without its data", node, what));
                }
            }
            _ => {}
        }
    }
}

/// Why a node that is far behind does not answer: its view of the chain would mislead validators.
fn refusal(slots_per_epoch: u64, state: SyncState, ask: &Ask) -> Option<String> {
    let SyncState::Syncing { distance, .. } = state else { return None };
    let matters = !matches!(ask, Ask::Keys(_) | Ask::Subscribe(_));
    (matters && distance > slots_per_epoch).then(|| format!("the node is syncing, {distance} slots behind"))
}

/// Nobody may vote for or build on a head whose payload no engine has executed.
fn optimistic(view: &View, ask: &Ask) -> Option<String> {
    let signs = matches!(
        ask,
        Ask::AttestationData(_)
            | Ask::Block { .. }
            | Ask::Aggregate(..)
            | Ask::HeadRoot(_)
            | Ask::Contribution(..)
    );
    (signs && view.head.is_optimistic()).then(|| "the head is optimistic".to_owned())
}

/// What a question comes to.
enum Asked {
    Command(Command),
    Read(Ask),
}

fn sort(ask: Ask) -> Asked {
    Asked::Command(match ask {
        Ask::Block { slot, randao_reveal, graffiti } => {
            Command::ProduceBlock { slot, randao_reveal, graffiti }
        }
        Ask::PublishBlock(contents) => {
            let SignedBlockContents { signed_block, kzg_proofs, blobs } = *contents;
            Command::PublishBlock(PublishedBlock { block: signed_block.into(), blobs, kzg_proofs })
        }
        Ask::PrepareBeaconProposer(recipients) => Command::PrepareBeaconProposer(recipients),
        Ask::PublishSingleAttestations(items) => {
            Command::PublishSingleAttestations(items.into_iter().map(Into::into).collect())
        }
        Ask::PublishAttestations(items) => {
            Command::PublishAttestations(items.into_iter().map(Into::into).collect())
        }
        Ask::PublishAggregates(items) => {
            Command::PublishAggregates(items.into_iter().map(Into::into).collect())
        }
        Ask::PublishSyncMessages(items) => {
            Command::PublishSyncMessages(items.into_iter().map(Into::into).collect())
        }
        Ask::PublishContributions(items) => {
            Command::PublishContributions(items.into_iter().map(Into::into).collect())
        }
        other => return Asked::Read(other),
    })
}

/// What the node's view answers.
fn read(view: &View, ask: Ask) -> Result<Answer, String> {
    let text = |error: chain::ViewError| error.to_string();
    match ask {
        Ask::Keys(keys) => Ok(Answer::Keys(places(view, &keys))),
        Ask::ProposerDuties(epoch) => {
            let duties = view.proposer_duties(epoch).map_err(text)?;
            let convert = |duty: chain::ProposerDuty| validator::ProposerDuty {
                pubkey: duty.pubkey,
                validator_index: duty.validator_index,
                slot: duty.slot,
            };
            Ok(Answer::ProposerDuties(
                duties.dependent_root,
                duties.duties.into_iter().map(convert).collect(),
            ))
        }
        Ask::AttesterDuties(epoch, indices) => {
            let duties = view.attester_duties(epoch, &indices).map_err(text)?;
            let convert = |duty: chain::AttesterDuty| validator::AttesterDuty {
                pubkey: duty.pubkey,
                validator_index: duty.validator_index,
                committee_index: duty.committee_index,
                committee_length: duty.committee_length,
                committees_at_slot: duty.committees_at_slot,
                validator_committee_index: duty.validator_committee_index,
                slot: duty.slot,
            };
            Ok(Answer::AttesterDuties(
                duties.dependent_root,
                duties.duties.into_iter().map(convert).collect(),
            ))
        }
        Ask::AttestationData(slot) => {
            Ok(Answer::AttestationData(view.attestation_data(slot, CommitteeIndex(0)).map_err(text)?))
        }
        Ask::SyncDuties(epoch, indices) => Ok(Answer::SyncDuties(sync_duties(view, epoch, &indices)?)),
        Ask::HeadRoot(_) => Ok(Answer::HeadRoot(view.head.root)),
        Ask::Contribution(slot, part, root) => {
            let found = view.pools.sync_votes.contribution(view.spec, slot, root, part);
            Ok(Answer::Contribution(Box::new(found.ok_or("there is no such vote")?)))
        }
        Ask::Aggregate(slot, index, root) => {
            let aggregate = view.aggregate(slot, root, Some(index)).ok_or("there is no such attestation")?;
            Ok(Answer::Aggregate(Box::new(aggregate)))
        }
        Ask::Subscribe(_) | Ask::SubscribeSync(_) => Ok(Answer::Published(Vec::new())),
        _ => Err("this is no question to a view".to_owned()),
    }
}

fn places(view: &View, keys: &[BlsPubkey]) -> Vec<KeyInfo> {
    let state = &view.head.state;
    let epoch = view.current_slot.epoch(view.spec);
    let validators = state.validators.iter().enumerate();
    let wanted = validators.filter(|(_, validator)| keys.contains(&validator.pubkey));
    let place = |(index, validator): (usize, &types::Validator)| KeyInfo {
        pubkey: validator.pubkey,
        index: ValidatorIndex(index as u64),
        active: transition::predicates::is_active_validator(validator, epoch),
    };
    wanted.map(place).collect()
}
