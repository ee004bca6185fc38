//! The way to the beacon node and the signer: turns questions of the duties machine into requests, and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use api::{Client, ClientError, CommitteeSubscription};
use types::{BlsPubkey, Spec};
use validator::{
    Answer, Ask, AttesterDuty, KeyInfo, ProposerDuty, SigningRequest, Subscription, SyncDuty,
    SyncSubscription,
};

use crate::metrics::{ClientMetrics, question};
use crate::signer::Signer;

/// Pauses between attempts to publish to a node that cannot be reached.
const PUBLISH_AGAIN_MIN: Duration = Duration::from_millis(100);
const PUBLISH_AGAIN_MAX: Duration = Duration::from_secs(2);

/// The status of a node that is syncing, or whose head is optimistic.
const UNAVAILABLE: u16 = 503;

/// The beacon node and the signer, as the tasks share them.
#[derive(Debug)]
pub(crate) struct NodeLink {
    pub(crate) spec: &'static Spec,
    pub(crate) client: Client,
    pub(crate) signer: Arc<Signer>,
    pub(crate) metrics: Arc<ClientMetrics>,
    /// False from the first request that found nobody until one is answered.
    reachable: AtomicBool,
    /// False from the first question for something to sign that the node was not ready for until one is answered.
    ready: AtomicBool,
}

impl NodeLink {
    pub(crate) fn new(
        spec: &'static Spec,
        client: Client,
        signer: Arc<Signer>,
        metrics: Arc<ClientMetrics>,
    ) -> Self {
        Self { spec, client, signer, metrics, reachable: AtomicBool::new(true), ready: AtomicBool::new(true) }
    }

    /// Says once that the node is gone, and once that it is back.
    pub(crate) fn note(&self, error: Option<&ClientError>) {
        let url = self.client.url();
        self.metrics.reachable(!matches!(error, Some(ClientError::Unreachable { .. })));
        match error {
            Some(ClientError::Unreachable { reason, .. }) => {
                if self.reachable.swap(false, Ordering::Relaxed) {
                    tracing::warn!("the beacon node {url} cannot be reached ({reason}); trying again");
                }
            }
            _ => {
                if !self.reachable.swap(true, Ordering::Relaxed) {
                    tracing::info!("the beacon node {url} answers again");
                }
            }
        }
    }

    /// Says once that the node is syncing, or its head not verified by an execution engine, and once that it is not any
    /// more. Until then nothing is signed.
    fn note_readiness(&self, error: Option<&ClientError>) {
        let url = self.client.url();
        match error {
            Some(error) if error.code() == Some(UNAVAILABLE) => {
                self.metrics.ready(false);
                if self.ready.swap(false, Ordering::Relaxed) {
                    tracing::warn!(
                        "the beacon node {url} is not ready, so nothing is signed: {}",
                        error.reason()
                    );
                }
            }
            Some(_) => {}
            None => {
                self.metrics.ready(true);
                if !self.ready.swap(true, Ordering::Relaxed) {
                    tracing::info!("the beacon node {url} is ready again");
                }
            }
        }
    }

    /// The answer to a question, or in plain words why there is none.
    pub(crate) async fn answer(&self, ask: Ask) -> Result<Answer, String> {
        let (question, begun) = (question(&ask), Instant::now());
        let answer = self.find_answer(ask).await;
        self.metrics.asked(question, begun.elapsed(), answer.is_ok());
        answer
    }

    async fn find_answer(&self, ask: Ask) -> Result<Answer, String> {
        let result = match ask {
            Ask::Sign(requests) => return self.sign(requests).await,
            Ask::PublishBlock(_)
            | Ask::PublishAttestations(_)
            | Ask::PublishSingleAttestations(_)
            | Ask::PublishAggregates(_)
            | Ask::PublishSyncMessages(_)
            | Ask::PublishContributions(_) => return self.publish(&ask).await,
            question => {
                let is_to_sign = matches!(
                    question,
                    Ask::AttestationData(_) | Ask::Block { .. } | Ask::HeadRoot(_) | Ask::Aggregate(..)
                );
                let result = self.ask(question).await;
                if is_to_sign {
                    self.note_readiness(result.as_ref().err());
                }
                result
            }
        };
        self.note(result.as_ref().err());
        result.map_err(|error| error.reason())
    }

    async fn ask(&self, question: Ask) -> Result<Answer, ClientError> {
        let (client, spec) = (&self.client, self.spec);
        Ok(match question {
            Ask::Keys(keys) => Answer::Keys(self.places(&keys).await?),
            Ask::ProposerDuties(epoch) => {
                let duties = client.proposer_duties(epoch).await?;
                let all = duties.duties.iter().map(proposer_duty).collect();
                Answer::ProposerDuties(duties.dependent_root, all)
            }
            Ask::AttesterDuties(epoch, indices) => {
                let duties = client.attester_duties(epoch, &indices).await?;
                let all = duties.duties.iter().map(attester_duty).collect();
                Answer::AttesterDuties(duties.dependent_root, all)
            }
            Ask::Subscribe(subscriptions) => {
                let all: Vec<_> = subscriptions.iter().map(subscription).collect();
                client.prepare_committee_subnet(&all).await?;
                Answer::Published(Vec::new())
            }
            Ask::PrepareBeaconProposer(recipients) => {
                client.prepare_beacon_proposer(&recipients).await?;
                Answer::Published(Vec::new())
            }
            Ask::AttestationData(slot) => {
                Answer::AttestationData(client.attestation_data(spec, slot, 0).await?)
            }
            Ask::Block { slot, randao_reveal, graffiti } => {
                Answer::Block(Box::new(client.produce_block(spec, slot, &randao_reveal, &graffiti).await?))
            }
            Ask::Aggregate(slot, index, root) => {
                Answer::Aggregate(Box::new(client.aggregate_attestation(spec, slot, index, root).await?))
            }
            Ask::SyncDuties(epoch, indices) => {
                let duties = client.sync_duties(epoch, &indices).await?;
                Answer::SyncDuties(duties.into_iter().map(sync_duty).collect())
            }
            Ask::SubscribeSync(subscriptions) => {
                let all: Vec<_> = subscriptions.into_iter().map(sync_subscription).collect();
                client.prepare_sync_committee_subnets(&all).await?;
                Answer::Published(Vec::new())
            }
            Ask::HeadRoot(_) => Answer::HeadRoot(client.head_root().await?),
            Ask::Contribution(slot, part, root) => {
                Answer::Contribution(Box::new(client.sync_contribution(spec, slot, part, root).await?))
            }
            Ask::Sign(_)
            | Ask::PublishBlock(_)
            | Ask::PublishAttestations(_)
            | Ask::PublishSingleAttestations(_)
            | Ask::PublishAggregates(_)
            | Ask::PublishSyncMessages(_)
            | Ask::PublishContributions(_) => unreachable!("the caller sent these elsewhere"),
        })
    }

    async fn places(&self, keys: &[BlsPubkey]) -> Result<Vec<KeyInfo>, ClientError> {
        let found = self.client.validator_indices(keys).await?;
        // A slashed validator has a place in committees until it leaves, but nothing to gain there.
        let active = |status: &str| matches!(status, "active_ongoing" | "active_exiting");
        let infos: Vec<KeyInfo> = found
            .iter()
            .map(|(pubkey, index, status)| KeyInfo { pubkey: *pubkey, index: *index, active: active(status) })
            .collect();
        let active = infos.iter().filter(|info| info.active).count();
        self.metrics.active(active);
        tracing::info!("of {} keys looked up, the chain knows {}; active: {active}", keys.len(), infos.len());
        Ok(infos)
    }

    async fn sign(&self, requests: Vec<SigningRequest>) -> Result<Answer, String> {
        let signer = Arc::clone(&self.signer);
        let signed = tokio::task::spawn_blocking(move || signer.sign(&requests)).await;
        signed.map(Answer::Signed).map_err(|error| format!("the signer failed: {error}"))
    }

    /// Publishes, for as long as a slot again where nobody is reached: what was signed cannot be signed anew.
    async fn publish(&self, ask: &Ask) -> Result<Answer, String> {
        let patience = Duration::from_millis(self.spec.config.slot_duration_ms);
        let (begun, mut pause) = (Instant::now(), PUBLISH_AGAIN_MIN);
        loop {
            let result = self.publish_once(ask).await;
            self.note(result.as_ref().err());
            match result {
                Ok(()) => return Ok(Answer::Published(Vec::new())),
                // The node took all but the items that it names.
                Err(ClientError::Refused { failures, .. }) if !failures.is_empty() => {
                    let refused = failures.into_iter().map(|failure| (failure.index, failure.message));
                    return Ok(Answer::Published(refused.collect()));
                }
                Err(ClientError::Unreachable { .. }) if begun.elapsed() + pause < patience => {
                    tokio::time::sleep(pause).await;
                    pause = (2 * pause).min(PUBLISH_AGAIN_MAX);
                }
                Err(error) => return Err(error.reason()),
            }
        }
    }

    async fn publish_once(&self, ask: &Ask) -> Result<(), ClientError> {
        match ask {
            Ask::PublishBlock(contents) => self.client.publish_block(self.spec, contents).await,
            Ask::PublishAttestations(all) => self.client.submit_attestations(self.spec, all).await,
            Ask::PublishSingleAttestations(all) => {
                self.client.submit_single_attestations(self.spec, all).await
            }
            Ask::PublishAggregates(all) => self.client.submit_aggregates(self.spec, all).await,
            Ask::PublishSyncMessages(all) => self.client.submit_sync_messages(self.spec, all).await,
            Ask::PublishContributions(all) => self.client.submit_contributions(self.spec, all).await,
            _ => unreachable!("the caller sends publications only"),
        }
    }
}

fn proposer_duty(duty: &api::ProposerDuty) -> ProposerDuty {
    ProposerDuty { pubkey: duty.pubkey, validator_index: duty.validator_index, slot: duty.slot }
}

fn attester_duty(duty: &api::AttesterDuty) -> AttesterDuty {
    AttesterDuty {
        pubkey: duty.pubkey,
        validator_index: duty.validator_index,
        committee_index: duty.committee_index,
        committee_length: duty.committee_length,
        committees_at_slot: duty.committees_at_slot,
        validator_committee_index: duty.validator_committee_index,
        slot: duty.slot,
    }
}

fn sync_duty(duty: api::SyncDuty) -> SyncDuty {
    SyncDuty { pubkey: duty.pubkey, validator_index: duty.validator_index, places: duty.places }
}

fn sync_subscription(wish: SyncSubscription) -> api::SyncSubscription {
    let SyncSubscription { validator_index, places, until } = wish;
    api::SyncSubscription { validator_index, places, until_epoch: until }
}

fn subscription(subscription: &Subscription) -> CommitteeSubscription {
    let duty = &subscription.duty;
    CommitteeSubscription {
        validator_index: duty.validator_index,
        committee_index: duty.committee_index,
        committees_at_slot: duty.committees_at_slot,
        slot: duty.slot,
        is_aggregator: subscription.is_aggregator,
    }
}
