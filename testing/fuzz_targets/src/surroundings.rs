//! What a chain lives with, where everything goes well: signatures are valid, the engine says yes, the disk writes at once.
//!
//! Whoever throws bytes at a node can also sign them, so that what comes behind the signatures has to be right too. To
//! call every signature valid is to reach it without the keys, and to make more of it than any keys could.

use std::sync::OnceLock;

use chain::{Chain, EvidenceReason, Input, Job, JobResult, Loaded, Output, Verdict};
use crypto::{Signature, SignatureSet};
use engine::{EngineFailure, EngineReply, EngineRequest, PayloadStatus};
use types::Time;

/// Outputs that one message may cause; more means that the chain runs away.
const OUTPUTS_MAX: usize = 10_000;

/// What a chain did with a message.
#[derive(Debug, Default)]
pub struct Deeds {
    /// Its verdicts.
    pub verdicts: Vec<Verdict>,
    /// The kinds of jobs that it wanted done.
    pub jobs: Vec<&'static str>,
    /// Batches that it stored.
    pub batches: usize,
    outputs: usize,
}

impl Deeds {
    /// Hands the chain an input, and answers until it wants nothing more.
    pub fn handle(&mut self, chain: &mut Chain, now: Time, input: Input) {
        chain.handle(now, input);
        while let Some(output) = chain.poll() {
            self.outputs += 1;
            assert!(self.outputs <= OUTPUTS_MAX, "outputs without end");
            if let Some(answer) = self.answer(output) {
                chain.handle(now, answer);
            }
        }
    }

    fn answer(&mut self, output: Output) -> Option<Input> {
        Some(match output {
            Output::Job(id, _, job) => {
                self.jobs.push(job.name());
                Input::JobDone(id, done(job))
            }
            Output::Store(batch) => {
                self.batches += 1;
                Input::Stored(batch.seq)
            }
            Output::Load(id, _) => Input::Loaded(id, Loaded::Missing),
            Output::Engine(id, request) => Input::EngineDone(id, reply(request)),
            Output::Verdict(_, verdict) => {
                self.verdicts.push(verdict);
                return None;
            }
            Output::Fault(text) => panic!("a fault of the chain: {text}"),
            Output::Evidence(kept) => {
                // A message may break rules; we may not.
                let is_theirs =
                    [EvidenceReason::InvalidBlock, EvidenceReason::StateRoot].contains(&kept.reason);
                assert!(is_theirs, "{}: {} {:?}", kept.reason.as_str(), kept.verdict, kept.beyond);
                return None;
            }
            _ => return None,
        })
    }
}

/// Does a job. Data is taken to be what it is committed to, since to verify it takes longer than all else together.
fn done(job: Job) -> JobResult {
    match job {
        Job::VerifySidecars(_) => JobResult::InvalidSidecars(Vec::new()),
        Job::MakeSidecars(_) | Job::RecoverColumns(_) => JobResult::Sidecars(Err("not here".to_owned())),
        other => other.run_with(&mut |sets: &[SignatureSet], _| vec![Some(some_signature()); sets.len()]),
    }
}

/// The point at infinity.
fn some_signature() -> Signature {
    static SIGNATURE: OnceLock<Signature> = OnceLock::new();
    *SIGNATURE.get_or_init(|| {
        let mut bytes = [0; 96];
        bytes[0] = 0xc0;
        Signature::from_compressed(&bytes).expect("the point at infinity is one")
    })
}

fn reply(request: EngineRequest) -> EngineReply {
    match request {
        EngineRequest::NewPayload(new) => {
            EngineReply::NewPayload(PayloadStatus::valid(new.payload.block_hash))
        }
        EngineRequest::ForkchoiceUpdated { state, .. } => EngineReply::ForkchoiceUpdated {
            status: PayloadStatus::valid(state.head_block_hash),
            payload_id: None,
        },
        _ => EngineReply::Failed(EngineFailure::Unreachable("none is there".to_owned())),
    }
}
