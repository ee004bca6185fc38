//! Signatures: checked and recorded first, made second, logged third. Only then does the caller get them.

use std::collections::BTreeMap;

use crypto::SecretKey;
use storage::{Attempt, LockFile, NotSafe, Protection, Safe};
use types::{BlsPubkey, BlsSignature};
use validator::{Message, SigningRequest};

use crate::signed_log::SignedLog;

/// Signatures to make on one thread, some milliseconds of work, before another thread is worth starting.
const SHARE: usize = 16;

/// The keys, the history of what they signed, and the log.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) keys: BTreeMap<BlsPubkey, SecretKey>,
    pub(crate) protection: Protection,
    pub(crate) log: Option<SignedLog>,
    /// Held for as long as the keys are.
    pub(crate) _locks: Vec<LockFile>,
}

/// One result a request, in order.
pub(crate) type Signed = Vec<Result<BlsSignature, String>>;

impl Signer {
    /// Signs what may be signed. Blocks on the disk and the processor: call it on a blocking thread.
    pub(crate) fn sign(&self, requests: &[SigningRequest]) -> Signed {
        let permitted = self.protect(requests);
        let signed = self.sign_permitted(requests, permitted);
        let Some(log) = &self.log else { return signed };
        let made = requests.iter().zip(&signed).filter(|(_, result)| result.is_ok());
        match log.append(made.map(|(request, _)| request)) {
            Ok(()) => signed,
            Err(error) => {
                let why = format!("the log of signed messages cannot be written: {error}");
                signed.into_iter().map(|result| result.and_then(|_| Err(why.clone()))).collect()
            }
        }
    }

    /// Asks slashing protection about blocks and attestations; all attestations of the call cost one transaction.
    fn protect(&self, requests: &[SigningRequest]) -> Vec<Result<(), String>> {
        let attempt = |request: &SigningRequest| match request.message {
            Message::Attestation { source, target, .. } => Some(Attempt {
                pubkey: request.pubkey.0,
                source: source.0,
                target: target.0,
                signing_root: request.signing_root.0,
            }),
            _ => None,
        };
        let attempts: Vec<Attempt> = requests.iter().filter_map(attempt).collect();
        let mut attested = if attempts.is_empty() {
            Vec::new()
        } else {
            self.protection.check_and_insert_attestations(&attempts)
        }
        .into_iter();
        let judge = |request: &SigningRequest| {
            let verdict: Result<Safe, NotSafe> = match request.message {
                Message::Attestation { .. } => attested.next().expect("there is a verdict for each attempt"),
                Message::Block { slot } => {
                    self.protection.check_and_insert_block(&request.pubkey.0, slot.0, &request.signing_root.0)
                }
                // Nobody is slashed for these.
                Message::Randao { .. }
                | Message::SelectionProof { .. }
                | Message::AggregateAndProof { .. }
                | Message::SyncMessage { .. }
                | Message::SyncSelectionProof { .. }
                | Message::ContributionAndProof { .. }
                | Message::VoluntaryExit { .. } => return Ok(()),
            };
            verdict.map(|_| ()).map_err(|refusal| format!("slashing protection refuses: {refusal}"))
        };
        requests.iter().map(judge).collect()
    }

    fn sign_permitted(&self, requests: &[SigningRequest], permitted: Vec<Result<(), String>>) -> Signed {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let share = requests.len().div_ceil(cores).max(SHARE);
        let work: Vec<(&SigningRequest, Result<(), String>)> = requests.iter().zip(permitted).collect();
        let sign = |(request, permitted): &(&SigningRequest, Result<(), String>)| {
            permitted.clone().and_then(|()| self.sign_one(request))
        };
        if work.len() <= share {
            return work.iter().map(sign).collect();
        }
        std::thread::scope(|scope| {
            let run = |part| scope.spawn(move || -> Signed { <[_]>::iter(part).map(sign).collect() });
            let threads: Vec<_> = work.chunks(share).map(run).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("signing does not panic")).collect()
        })
    }

    fn sign_one(&self, request: &SigningRequest) -> Result<BlsSignature, String> {
        let key = self.keys.get(&request.pubkey).ok_or("the key is not loaded")?;
        Ok(BlsSignature::from(key.sign(&request.signing_root.0).compress()))
    }
}
