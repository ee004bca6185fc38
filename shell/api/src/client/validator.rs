//! What a validator client asks for. Each question goes to the newest endpoint first, and to its forerunners where a
//! node does not have it.

use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Value, json};
use types::{
    Attestation, AttestationData, BeaconBlock, BlsPubkey, BlsSignature, CommitteeIndex, Epoch, ForkName,
    Root, SignedAggregateAndProof, SignedBeaconBlock, Slot, Spec, SszExt, ValidatorIndex,
};

use super::{Client, ClientError, Result};
use crate::{AttesterDuty, CommitteeSubscription, Duties, ProposerDuty};

/// Keys of one question for their places in the registry: 64 of them keep a request line below 8 KiB, and as bodies
/// 1000 of them stay below 128 KiB.
const KEYS_IN_QUERY_MAX: usize = 64;
const KEYS_IN_BODY_MAX: usize = 1000;

/// An endpoint that exists in several versions.
#[derive(Clone, Copy, Debug)]
enum Endpoint {
    Validators,
    ProduceBlock,
    PublishBlock,
    Attestations,
    Aggregate,
    Aggregates,
}

/// For each endpoint the place in its list of paths that answered last: where a node lacks the newest, it is not
/// asked for it every time.
#[derive(Debug, Default)]
pub(super) struct Legacy([AtomicU8; 6]);

impl Legacy {
    fn first(&self, of: Endpoint) -> usize {
        usize::from(self.0[of as usize].load(Ordering::Relaxed))
    }

    fn learn(&self, of: Endpoint, place: usize) {
        let place = u8::try_from(place).expect("an endpoint has few versions");
        self.0[of as usize].store(place, Ordering::Relaxed);
    }
}

/// A request of one version.
struct Form<'a> {
    path: String,
    body: Option<&'a Value>,
    fork: Option<ForkName>,
}

impl<'a> Form<'a> {
    fn get(path: String) -> Self {
        Self { path, body: None, fork: None }
    }

    fn post(path: &str, body: &'a Value) -> Self {
        Self { path: path.to_owned(), body: Some(body), fork: None }
    }

    fn of(self, fork: ForkName) -> Self {
        Self { fork: Some(fork), ..self }
    }
}

/// A node without a route says 404, 405 or 501; so it does for some things that it cannot find, and then the older
/// route says so too.
fn may_lack_route(error: &ClientError) -> bool {
    matches!(error.code(), Some(404 | 405 | 501))
}

impl Client {
    async fn send(&self, form: &Form<'_>) -> Result<Value> {
        match form.body {
            None => self.get(&form.path).await,
            Some(body) => self.post_as(&form.path, form.fork, body).await,
        }
    }

    /// Asks in the form that answered last, and in the older ones after it; the answer comes with its form's place.
    /// Where none answers, the first error counts, and the next question begins with the newest form again.
    async fn newest(&self, of: Endpoint, forms: &[Form<'_>]) -> Result<(usize, Value)> {
        let mut first_error = None;
        for (place, form) in forms.iter().enumerate().skip(self.legacy.first(of)) {
            match self.send(form).await {
                Ok(value) => {
                    self.legacy.learn(of, place);
                    return Ok((place, value));
                }
                Err(error) if may_lack_route(&error) => {
                    first_error.get_or_insert(error);
                }
                // A refusal with a reason comes from a node that has the route, so nothing older is tried.
                Err(error) => return Err(error),
            }
        }
        self.legacy.learn(of, 0);
        Err(first_error.expect("the loop runs once at least, and each turn returns or keeps an error"))
    }

    /// Indices and statuses of validators by key, of those that the head state knows.
    pub async fn validator_indices(
        &self,
        pubkeys: &[BlsPubkey],
    ) -> Result<Vec<(BlsPubkey, ValidatorIndex, String)>> {
        let path = "/eth/v1/beacon/states/head/validators";
        let mut found = Vec::new();
        for part in pubkeys.chunks(KEYS_IN_BODY_MAX) {
            let ids: Vec<String> = part.iter().map(ToString::to_string).collect();
            // The POST form is younger than some nodes.
            if self.legacy.first(Endpoint::Validators) == 0 {
                match self.post(path, &json!({ "ids": ids })).await {
                    Ok(value) => {
                        self.read_places(path, &value, &mut found)?;
                        continue;
                    }
                    Err(error) if may_lack_route(&error) => self.legacy.learn(Endpoint::Validators, 1),
                    Err(error) => return Err(error),
                }
            }
            for ids in ids.chunks(KEYS_IN_QUERY_MAX) {
                let path = format!("{path}?id={}", ids.join("&id="));
                let value = self.get(&path).await?;
                self.read_places(&path, &value, &mut found)?;
            }
        }
        Ok(found)
    }

    fn read_places(
        &self,
        path: &str,
        value: &Value,
        found: &mut Vec<(BlsPubkey, ValidatorIndex, String)>,
    ) -> Result<()> {
        for item in self.list(path, value)? {
            found.push((
                self.member(path, item, "/validator/pubkey")?,
                self.member(path, item, "/index")?,
                self.member(path, item, "/status")?,
            ));
        }
        Ok(())
    }

    /// `validator/duties/proposer`.
    pub async fn proposer_duties(&self, epoch: Epoch) -> Result<Duties<ProposerDuty>> {
        let path = format!("/eth/v1/validator/duties/proposer/{epoch}");
        let value = self.get(&path).await?;
        let duty = |item: &Value| -> Result<ProposerDuty> {
            Ok(ProposerDuty {
                pubkey: self.member(&path, item, "/pubkey")?,
                validator_index: self.member(&path, item, "/validator_index")?,
                slot: self.member(&path, item, "/slot")?,
            })
        };
        let duties = self.list(&path, &value)?.iter().map(duty).collect::<Result<_>>()?;
        Ok(Duties { dependent_root: self.member(&path, &value, "/dependent_root")?, duties })
    }

    /// `validator/duties/attester`.
    pub async fn attester_duties(
        &self,
        epoch: Epoch,
        indices: &[ValidatorIndex],
    ) -> Result<Duties<AttesterDuty>> {
        let path = format!("/eth/v1/validator/duties/attester/{epoch}");
        let body: Value = indices.iter().map(ToString::to_string).collect();
        let value = self.post(&path, &body).await?;
        let duty = |item: &Value| -> Result<AttesterDuty> {
            Ok(AttesterDuty {
                pubkey: self.member(&path, item, "/pubkey")?,
                validator_index: self.member(&path, item, "/validator_index")?,
                committee_index: self.member(&path, item, "/committee_index")?,
                committee_length: self.member(&path, item, "/committee_length")?,
                committees_at_slot: self.member(&path, item, "/committees_at_slot")?,
                validator_committee_index: self.member(&path, item, "/validator_committee_index")?,
                slot: self.member(&path, item, "/slot")?,
            })
        };
        let duties = self.list(&path, &value)?.iter().map(duty).collect::<Result<_>>()?;
        Ok(Duties { dependent_root: self.member(&path, &value, "/dependent_root")?, duties })
    }

    /// `validator/attestation_data`.
    pub async fn attestation_data(
        &self,
        spec: &'static Spec,
        slot: Slot,
        index: u64,
    ) -> Result<AttestationData> {
        let path = format!("/eth/v1/validator/attestation_data?slot={slot}&committee_index={index}");
        let value = self.get(&path).await?;
        self.read(&path, AttestationData::from_json(&value["data"], spec.ctx_at_slot(slot)))
    }

    /// `validator/aggregate_attestation`, version 2 or 1.
    pub async fn aggregate_attestation(
        &self,
        spec: &'static Spec,
        slot: Slot,
        index: CommitteeIndex,
        data_root: Root,
    ) -> Result<Attestation> {
        let path = |version, rest: &str| {
            format!(
                "/eth/{version}/validator/aggregate_attestation?attestation_data_root={data_root}&slot={slot}{rest}"
            )
        };
        let forms = [Form::get(path("v2", &format!("&committee_index={index}"))), Form::get(path("v1", ""))];
        let (place, value) = self.newest(Endpoint::Aggregate, &forms).await?;
        self.read(&forms[place].path, Attestation::from_json(&value["data"], spec.ctx_at_slot(slot)))
    }

    /// `validator/blocks`: version 3, 2 or 1. A blinded block, which only version 3 offers, is an error.
    pub async fn produce_block(
        &self,
        spec: &'static Spec,
        slot: Slot,
        randao_reveal: &BlsSignature,
        graffiti: &Root,
    ) -> Result<BeaconBlock> {
        let form = |version| {
            let query = format!("{slot}?randao_reveal={randao_reveal}&graffiti={graffiti}");
            Form::get(format!("/eth/{version}/validator/blocks/{query}"))
        };
        let forms = [form("v3"), form("v2"), form("v1")];
        let (place, value) = self.newest(Endpoint::ProduceBlock, &forms).await?;
        let path = &forms[place].path;
        if value["execution_payload_blinded"].as_bool() == Some(true) {
            return self.read(path, Err("a blinded block, though no builder was asked for"));
        }
        self.read(path, BeaconBlock::from_json(&value["data"], spec.ctx_at_slot(slot)))
    }

    /// Publishes a block: version 2 or 1.
    pub async fn publish_block(&self, spec: &'static Spec, block: &SignedBeaconBlock) -> Result<()> {
        let slot = block.message.slot;
        let body = block.to_json(spec.ctx_at_slot(slot));
        let newest = Form::post("/eth/v2/beacon/blocks", &body).of(spec.fork_name_at_slot(slot));
        let forms = [newest, Form::post("/eth/v1/beacon/blocks", &body)];
        self.newest(Endpoint::PublishBlock, &forms).await.map(|_| ())
    }

    /// Publishes attestations, all of one fork: version 2 or 1. [`ClientError::Refused`] names the ones that the
    /// node did not take.
    pub async fn submit_attestations(&self, spec: &'static Spec, attestations: &[Attestation]) -> Result<()> {
        let Some(first) = attestations.first() else { return Ok(()) };
        let json = |item: &Attestation| item.to_json(spec.ctx_at_slot(item.data.slot));
        let body: Value = attestations.iter().map(json).collect();
        let fork = spec.fork_name_at_slot(first.data.slot);
        let newest = Form::post("/eth/v2/beacon/pool/attestations", &body).of(fork);
        let forms = [newest, Form::post("/eth/v1/beacon/pool/attestations", &body)];
        self.newest(Endpoint::Attestations, &forms).await.map(|_| ())
    }

    /// Publishes aggregates, all of one fork: version 2 or 1. [`ClientError::Refused`] names the ones that the node
    /// did not take.
    pub async fn submit_aggregates(
        &self,
        spec: &'static Spec,
        aggregates: &[SignedAggregateAndProof],
    ) -> Result<()> {
        let Some(first) = aggregates.first() else { return Ok(()) };
        let slot = |item: &SignedAggregateAndProof| item.message.aggregate.data.slot;
        let body: Value = aggregates.iter().map(|item| item.to_json(spec.ctx_at_slot(slot(item)))).collect();
        let fork = spec.fork_name_at_slot(slot(first));
        let newest = Form::post("/eth/v2/validator/aggregate_and_proofs", &body).of(fork);
        let forms = [newest, Form::post("/eth/v1/validator/aggregate_and_proofs", &body)];
        self.newest(Endpoint::Aggregates, &forms).await.map(|_| ())
    }

    /// Subscribes to committees' subnets.
    pub async fn prepare_committee_subnet(&self, subscriptions: &[CommitteeSubscription]) -> Result<()> {
        let json = |item: &CommitteeSubscription| {
            json!({
                "validator_index": item.validator_index.to_string(),
                "committee_index": item.committee_index.to_string(),
                "committees_at_slot": item.committees_at_slot.to_string(),
                "slot": item.slot.to_string(), "is_aggregator": item.is_aggregator,
            })
        };
        let body: Value = subscriptions.iter().map(json).collect();
        self.post("/eth/v1/validator/beacon_committee_subscriptions", &body).await.map(|_| ())
    }
}
