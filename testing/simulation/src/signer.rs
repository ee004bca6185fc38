//! The keys of a node's validators, and the record that keeps them from being slashed.
//!
//! A record is written before its signature leaves, and a crash loses what was not written yet, along with the
//! signature that waits for it.

use std::collections::BTreeMap;

use crypto::SecretKey;
use types::{BlsPubkey, BlsSignature, FixedBytes};
use validator::rules::{Proposal, Refusal, Vote, may_attest, may_propose};
use validator::{Message, SigningRequest};

/// What a key signed.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Its attestations.
    pub votes: Vec<Vote>,
    /// Its blocks.
    pub proposals: Vec<Proposal>,
}

/// An entry of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// An attestation.
    Vote(Vote),
    /// A block.
    Proposal(Proposal),
}

impl Record {
    /// What is recorded of a request; none for messages that nobody is slashed for.
    pub fn of(request: &SigningRequest) -> Option<Self> {
        let signing_root = Some(request.signing_root);
        match request.message {
            Message::Block { slot } => Some(Self::Proposal(Proposal { slot, signing_root })),
            Message::Attestation { source, target, .. } => {
                Some(Self::Vote(Vote { source, target, signing_root }))
            }
            _ => None,
        }
    }
}

impl History {
    /// Adds an entry without asking.
    pub fn push(&mut self, record: Record) {
        match record {
            Record::Vote(vote) => self.votes.push(vote),
            Record::Proposal(proposal) => self.proposals.push(proposal),
        }
    }

    fn allows(&self, record: Record) -> Result<(), Refusal> {
        match record {
            Record::Vote(vote) => may_attest(&self.votes, &vote),
            Record::Proposal(proposal) => may_propose(&self.proposals, &proposal),
        }
    }
}

/// Keys, and what each signed.
#[derive(Debug)]
pub struct Signer {
    keys: BTreeMap<BlsPubkey, SecretKey>,
    durable: BTreeMap<BlsPubkey, History>,
    /// The durable ones and those on their way to the disk.
    current: BTreeMap<BlsPubkey, History>,
}

/// Signatures that wait until what they need is written.
#[derive(Debug, Default)]
pub struct Signed {
    /// What was recorded.
    pub records: Vec<(BlsPubkey, Record)>,
    /// One result for each request.
    pub results: Vec<Result<BlsSignature, String>>,
}

impl Signer {
    /// Keys that have signed nothing.
    pub fn new(keys: BTreeMap<BlsPubkey, SecretKey>) -> Self {
        Self { keys, durable: BTreeMap::new(), current: BTreeMap::new() }
    }

    /// The keys.
    pub fn pubkeys(&self) -> Vec<BlsPubkey> {
        self.keys.keys().copied().collect()
    }

    /// Signs what the rules allow. The signatures may leave once [`Signer::written`] was told.
    pub fn sign(&mut self, requests: &[SigningRequest]) -> Signed {
        let mut signed = Signed::default();
        for request in requests {
            let result = self.sign_one(request, &mut signed.records);
            signed.results.push(result);
        }
        signed
    }

    fn sign_one(
        &mut self,
        request: &SigningRequest,
        records: &mut Vec<(BlsPubkey, Record)>,
    ) -> Result<BlsSignature, String> {
        let key = self.keys.get(&request.pubkey).ok_or("no such key")?;
        if let Some(record) = Record::of(request) {
            let history = self.current.entry(request.pubkey).or_default();
            history.allows(record).map_err(|refusal| refusal.to_string())?;
            history.push(record);
            records.push((request.pubkey, record));
        }
        Ok(FixedBytes(key.sign(&request.signing_root.0).compress()))
    }

    /// The records are durable.
    pub fn written(&mut self, records: &[(BlsPubkey, Record)]) {
        for (pubkey, record) in records {
            self.durable.entry(*pubkey).or_default().push(*record);
        }
    }

    /// Forgets what was not durable.
    pub fn crash(&mut self) {
        self.current = self.durable.clone();
    }
}

#[cfg(test)]
mod tests {
    use keys::interop_secret_key;
    use types::{Epoch, Slot};

    use super::*;

    fn signer() -> (Signer, BlsPubkey) {
        let key = interop_secret_key(0);
        let pubkey = FixedBytes(key.public_key().compress());
        (Signer::new(BTreeMap::from([(pubkey, key)])), pubkey)
    }

    fn block(pubkey: BlsPubkey, root: u8) -> SigningRequest {
        SigningRequest {
            pubkey,
            message: Message::Block { slot: Slot(3) },
            signing_root: FixedBytes([root; 32]),
        }
    }

    #[test]
    fn a_second_block_for_a_slot_is_refused_before_and_after_a_crash() {
        let (mut signer, pubkey) = signer();
        let first = signer.sign(&[block(pubkey, 1)]);
        assert!(first.results[0].is_ok());
        assert!(signer.sign(&[block(pubkey, 2)]).results[0].is_err());
        signer.written(&first.records);
        signer.crash();
        assert!(signer.sign(&[block(pubkey, 2)]).results[0].is_err());
        assert!(signer.sign(&[block(pubkey, 1)]).results[0].is_ok());
    }

    #[test]
    fn what_was_not_written_is_forgotten_with_its_signature() {
        let (mut signer, pubkey) = signer();
        signer.sign(&[block(pubkey, 1)]);
        signer.crash();
        assert!(signer.sign(&[block(pubkey, 2)]).results[0].is_ok());
    }

    #[test]
    fn a_batch_is_judged_as_if_its_requests_came_one_by_one() {
        let (mut signer, pubkey) = signer();
        let vote = |source, target, root| SigningRequest {
            pubkey,
            message: Message::Attestation { slot: Slot(8), source: Epoch(source), target: Epoch(target) },
            signing_root: FixedBytes([root; 32]),
        };
        let results = signer.sign(&[vote(0, 1, 1), vote(0, 1, 2), vote(0, 2, 3)]).results;
        assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    }
}
