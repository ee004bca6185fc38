//! What a validator client asks for. Each question goes to the newest endpoint first, and to its forerunners where a
//! node does not have it.

use serde_json::{Value, json};
use types::{
    Attestation, AttestationData, BlockContents, BlsPubkey, BlsSignature, CommitteeIndex, Epoch,
    ExecutionAddress, ForkName, Root, SignedAggregateAndProof, SignedBlockContents, SingleAttestation, Slot,
    Spec, SszExt, ValidatorIndex,
};

use super::forms::{Endpoint, Form, may_lack_route};
use super::{Client, Result};
use crate::lists::json_list;
use crate::{AttesterDuty, CommitteeSubscription, Duties, ProposerDuty};

/// Keys of one question for their places in the registry: 64 of them keep a request line below 8 KiB, and as bodies
/// 1000 of them stay below 128 KiB.
const KEYS_IN_QUERY_MAX: usize = 64;
const KEYS_IN_BODY_MAX: usize = 1000;

impl Client {
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

    /// `validator/aggregate_attestation`, version 2, or 1 before Electra.
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
        let mut forms = vec![Form::get(path("v2", &format!("&committee_index={index}")))];
        if spec.fork_name_at_slot(slot) < ForkName::Electra {
            forms.push(Form::get(path("v1", "")));
        }
        let (place, answer) = self.newest(Endpoint::Aggregate, &forms).await?;
        let path = &forms[place].path;
        let value = self.read(path, answer.json())?;
        self.read(path, Attestation::from_json(&value["data"], spec.ctx_at_slot(slot)))
    }

    /// `validator/blocks`: version 3, 2 or 1; since Deneb with blobs. A blinded block, which only version 3 offers, is an
    /// error.
    pub async fn produce_block(
        &self,
        spec: &'static Spec,
        slot: Slot,
        randao_reveal: &BlsSignature,
        graffiti: &Root,
    ) -> Result<BlockContents> {
        let fork = spec.fork_name_at_slot(slot);
        let form = |version| {
            let query = format!("{slot}?randao_reveal={randao_reveal}&graffiti={graffiti}");
            Form::get(format!("/eth/{version}/validator/blocks/{query}")).preferring_ssz()
        };
        let mut forms = vec![form("v3"), form("v2")];
        if fork == ForkName::Phase0 {
            forms.push(form("v1"));
        }
        let (place, answer) = self.newest(Endpoint::ProduceBlock, &forms).await?;
        let path = &forms[place].path;
        if answer.is_blinded() {
            return self.read(path, Err("a blinded block, though no builder was asked for"));
        }
        let ctx = spec.ctx(fork);
        match BlockContents::are_used_in(fork) {
            true => self.read(path, answer.container::<BlockContents>(ctx)),
            false => Ok(self.read(path, answer.container::<types::BeaconBlock>(ctx))?.into()),
        }
    }

    /// Publishes a block with its blobs: version 2 in SSZ or JSON, or version 1.
    pub async fn publish_block(&self, spec: &'static Spec, contents: &SignedBlockContents) -> Result<()> {
        let fork = spec.fork_name_at_slot(contents.signed_block.message.slot);
        let (ctx, has_data) = (spec.ctx(fork), BlockContents::are_used_in(fork));
        let ssz = || if has_data { contents.to_ssz(ctx) } else { contents.signed_block.to_ssz(ctx) };
        let json = || match has_data {
            true => contents.to_json_string(ctx),
            false => contents.signed_block.to_json_string(ctx),
        };
        let (newest, oldest) = ("/eth/v2/beacon/blocks", "/eth/v1/beacon/blocks");
        let forms = [
            Form::post_ssz(newest, &ssz).of(fork),
            Form::post(newest, &json).of(fork),
            Form::post(oldest, &json),
        ];
        self.newest(Endpoint::PublishBlock, &forms).await.map(|_| ())
    }

    /// Publishes attestations of slots before Electra, all of one fork: version 2 or 1.
    /// [`super::ClientError::Refused`] names the ones that the node did not take.
    pub async fn submit_attestations(&self, spec: &'static Spec, attestations: &[Attestation]) -> Result<()> {
        let Some(first) = attestations.first() else { return Ok(()) };
        let fork = spec.fork_name_at_slot(first.data.slot);
        let json = || json_list(attestations, spec.ctx(fork));
        let newest = Form::post("/eth/v2/beacon/pool/attestations", &json).of(fork);
        let forms = [newest, Form::post("/eth/v1/beacon/pool/attestations", &json)];
        self.newest(Endpoint::Attestations, &forms).await.map(|_| ())
    }

    /// Publishes attestations of slots since Electra, all of one fork. [`super::ClientError::Refused`] names the ones
    /// that the node did not take.
    pub async fn submit_single_attestations(
        &self,
        spec: &'static Spec,
        attestations: &[SingleAttestation],
    ) -> Result<()> {
        let Some(first) = attestations.first() else { return Ok(()) };
        let fork = spec.fork_name_at_slot(first.data.slot);
        let json = || json_list(attestations, spec.ctx(fork));
        let forms = [Form::post("/eth/v2/beacon/pool/attestations", &json).of(fork)];
        self.newest(Endpoint::SingleAttestations, &forms).await.map(|_| ())
    }

    /// Publishes aggregates, all of one fork: version 2, or 1 before Electra. [`super::ClientError::Refused`] names the
    /// ones that the node did not take.
    pub async fn submit_aggregates(
        &self,
        spec: &'static Spec,
        aggregates: &[SignedAggregateAndProof],
    ) -> Result<()> {
        let Some(first) = aggregates.first() else { return Ok(()) };
        let fork = spec.fork_name_at_slot(first.message.aggregate.data.slot);
        let json = || json_list(aggregates, spec.ctx(fork));
        let mut forms = vec![Form::post("/eth/v2/validator/aggregate_and_proofs", &json).of(fork)];
        if fork < ForkName::Electra {
            forms.push(Form::post("/eth/v1/validator/aggregate_and_proofs", &json));
        }
        self.newest(Endpoint::Aggregates, &forms).await.map(|_| ())
    }

    /// Tells who wants the fees of blocks that these validators propose.
    pub async fn prepare_beacon_proposer(
        &self,
        recipients: &[(ValidatorIndex, ExecutionAddress)],
    ) -> Result<()> {
        let json = |(index, recipient): &(ValidatorIndex, ExecutionAddress)| json!({ "validator_index": index.to_string(), "fee_recipient": recipient.to_string() });
        let body: Value = recipients.iter().map(json).collect();
        self.post("/eth/v1/validator/prepare_beacon_proposer", &body).await.map(|_| ())
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
