//! What the core thread is told, and in which order it hears it.
//!
//! Three queues, the earlier ones first: answers to what the core gave out; what is urgent (blocks, commands, sync);
//! and gossip that can wait. A flood of attestations so costs attestations and nothing else.
//!
//! | Queue   | Bound                                  | Overflow                                          |
//! |---------|----------------------------------------|---------------------------------------------------|
//! | answers | what the core has given out, see below | cannot happen                                     |
//! | urgent  | [`URGENT_MAX`]                         | commands get a busy error, the network waits      |
//! | gossip  | [`GOSSIP_MAX`]                         | the message is handed back and ignored            |
//!
//! The queue of answers has no number of its own: each entry answers a job, a read, a batch or a call of the engine that
//! the core handed out, and those are bounded by the limits of `chain` and the disk's queue. A bound here could only make the disk
//! wait for the core while the core waits for the disk.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chain::{Command, GossipMessage, JobId, JobResult, LoadId, Loaded, Reply};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select, unbounded};
use data_availability::{ColumnIndex, Sidecar};
use deposits::Eth1Chain;
use engine::{EngineCallId, EngineReply};
use network::MessageId;
use sync::{PeerId, RequestError, RequestId, Status};
use tokio::sync::oneshot;
use types::SignedBeaconBlock;

use crate::workers::JobTime;

/// Urgent messages that may wait.
pub const URGENT_MAX: usize = 512;
/// Gossip messages that may wait: some seconds of a large network's attestations.
pub const GOSSIP_MAX: usize = 4096;

/// A gossip message that decoded.
#[derive(Debug)]
pub struct Gossip {
    /// The message.
    pub message: GossipMessage,
    /// Its id on the network, for the verdict.
    pub message_id: MessageId,
    /// Who it came from, for the verdict.
    pub source: network::PeerId,
    /// The same peer as sync knows it, while it is connected.
    pub peer: Option<PeerId>,
    /// When its bytes were here.
    pub arrived: Instant,
}

/// An answer to something that the core gave out.
#[derive(Debug)]
pub enum Answer {
    /// A job has ended.
    Job(JobId, JobResult, JobTime),
    /// All batches up to this one are durable.
    Stored(u64),
    /// A read has ended.
    Loaded(LoadId, Loaded),
    /// The execution engine has answered, or has not.
    Engine(EngineCallId, EngineReply),
    /// Something that the node cannot do without has failed, with the reason.
    Broken(String),
}

/// What should not wait for attestations.
#[derive(Debug)]
pub enum Urgent {
    /// A gossip block, or a blob or column of one.
    Block(Gossip),
    /// A wish of the API, where its answer goes, and when it came.
    Command(Command, oneshot::Sender<Reply>, Instant),
    /// A peer's Status.
    Status(PeerId, Status),
    /// The columns that a peer has in custody.
    Custody(PeerId, BTreeSet<ColumnIndex>),
    /// A peer has gone.
    Gone(PeerId),
    /// A block came in answer to a request of sync.
    Chunk(RequestId, Arc<SignedBeaconBlock>),
    /// A blob or column came in answer to a request of sync.
    Sidecar(RequestId, Sidecar),
    /// An answer is complete.
    Done(RequestId),
    /// A request failed.
    Failed(RequestId, RequestError),
    /// Columns of old blocks are wanted of sync, or what it brought was looked at.
    Backfill(sync::Input),
    /// What the deposit contract's follower has read.
    Eth1(Arc<Eth1Chain>),
    /// Store everything and end; the sender hears when that is done.
    Stop(oneshot::Sender<()>),
}

/// A message for the core.
#[derive(Debug)]
pub enum Message {
    /// From the queue of answers.
    Answer(Answer),
    /// From the urgent queue.
    Urgent(Urgent),
    /// From the queue of gossip.
    Gossip(Gossip),
    /// Nothing came in time.
    Silence,
    /// All senders are gone.
    Closed,
}

/// The core thread cannot take it now, or not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The queue is full.
    #[error("the node is overloaded: too many requests wait")]
    Busy,
    /// The core thread has ended.
    #[error("the node is shutting down")]
    Closed,
}

/// The way to the core thread.
#[derive(Clone, Debug)]
pub struct Mailbox {
    answers: Sender<Answer>,
    urgent: Sender<Urgent>,
    gossip: Sender<Gossip>,
}

/// The core thread's end.
#[derive(Debug)]
pub struct Inbox {
    answers: Receiver<Answer>,
    urgent: Receiver<Urgent>,
    gossip: Receiver<Gossip>,
}

/// Both ends, with these bounds for what is urgent and for gossip.
pub fn mailbox(urgent_max: usize, gossip_max: usize) -> (Mailbox, Inbox) {
    let (answers, answers_in) = unbounded();
    let (urgent, urgent_in) = bounded(urgent_max);
    let (gossip, gossip_in) = bounded(gossip_max);
    let inbox = Inbox { answers: answers_in, urgent: urgent_in, gossip: gossip_in };
    (Mailbox { answers, urgent, gossip }, inbox)
}

impl Mailbox {
    /// How many answers wait.
    pub fn answers(&self) -> usize {
        self.answers.len()
    }

    /// How many urgent messages wait, and how much gossip.
    pub fn waiting(&self) -> (usize, usize) {
        (self.urgent.len(), self.gossip.len())
    }

    /// Hands over an answer; after the core's end it is dropped.
    pub fn answer(&self, answer: Answer) {
        // The core ends with jobs under way; nobody waits for them then.
        let _ = self.answers.send(answer);
    }

    /// Hands over something urgent, and waits for room. For threads, not for tasks.
    pub fn urgent_waiting(&self, urgent: Urgent) -> Result<(), Refused> {
        self.urgent.send(urgent).map_err(|_| Refused::Closed)
    }

    /// Hands over something urgent where there is room.
    pub fn urgent(&self, urgent: Urgent) -> Result<(), Refused> {
        self.urgent.try_send(urgent).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Busy,
            TrySendError::Disconnected(_) => Refused::Closed,
        })
    }

    /// Hands over gossip where there is room, and gives it back where there is none.
    pub fn gossip(&self, gossip: Gossip) -> Result<(), Box<Gossip>> {
        self.gossip.try_send(gossip).map_err(|error| Box::new(error.into_inner()))
    }

    /// Asks the chain for something and waits for its answer.
    pub async fn command(&self, command: Command) -> Result<Reply, Refused> {
        let (reply, answer) = oneshot::channel();
        self.urgent(Urgent::Command(command, reply, Instant::now()))?;
        answer.await.map_err(|_| Refused::Closed)
    }
}

impl Inbox {
    /// The next message, waiting for it at most so long.
    pub fn next(&self, timeout: Duration) -> Message {
        if let Ok(answer) = self.answers.try_recv() {
            return Message::Answer(answer);
        }
        if let Ok(urgent) = self.urgent.try_recv() {
            return Message::Urgent(urgent);
        }
        select! {
            recv(self.answers) -> answer => answer.map_or(Message::Closed, Message::Answer),
            recv(self.urgent) -> urgent => urgent.map_or(Message::Closed, Message::Urgent),
            recv(self.gossip) -> gossip => gossip.map_or(Message::Closed, Message::Gossip),
            default(timeout) => Message::Silence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attestation(number: u8) -> Gossip {
        Gossip {
            message: GossipMessage::Attestation { subnet: number.into(), attestation: Arc::default() },
            message_id: MessageId([number; 20]),
            source: network::PeerId::random(),
            peer: Some(PeerId(number.into())),
            arrived: Instant::now(),
        }
    }

    #[test]
    fn gossip_without_room_is_given_back_and_urgent_things_still_pass() {
        let (mailbox, inbox) = mailbox(1, 2);
        assert!(mailbox.gossip(attestation(1)).is_ok());
        assert!(mailbox.gossip(attestation(2)).is_ok());
        let refused = mailbox.gossip(attestation(3)).unwrap_err();
        assert_eq!(refused.message_id, MessageId([3; 20]));

        mailbox.urgent(Urgent::Gone(PeerId(7))).unwrap();
        assert_eq!(mailbox.urgent(Urgent::Gone(PeerId(8))), Err(Refused::Busy));
        mailbox.answer(Answer::Stored(5));
        let next = || inbox.next(Duration::ZERO);
        assert!(matches!(next(), Message::Answer(Answer::Stored(5))));
        assert!(matches!(next(), Message::Urgent(Urgent::Gone(PeerId(7)))));
        assert!(matches!(next(), Message::Gossip(Gossip { peer: Some(PeerId(1)), .. })));
        assert!(matches!(next(), Message::Gossip(Gossip { peer: Some(PeerId(2)), .. })));
        assert!(matches!(next(), Message::Silence));
    }

    #[test]
    fn a_command_without_a_core_thread_is_refused_and_does_not_wait() {
        let (mailbox, inbox) = mailbox(1, 1);
        drop(inbox);
        assert_eq!(mailbox.urgent(Urgent::Gone(PeerId(1))), Err(Refused::Closed));
        assert_eq!(mailbox.urgent_waiting(Urgent::Gone(PeerId(1))), Err(Refused::Closed));
    }
}
