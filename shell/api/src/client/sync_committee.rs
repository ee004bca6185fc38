//! What a validator client asks for on behalf of members of the sync committee. These endpoints have one version each.

use serde_json::{Value, json};
use types::{
    Epoch, Root, SignedContributionAndProof, Slot, Spec, SszExt, SyncCommitteeContribution,
    SyncCommitteeMessage, ValidatorIndex,
};

use super::{Client, Result};
use crate::{SyncDuty, SyncSubscription};

impl Client {
    /// `validator/duties/sync`: those of the validators that are members in an epoch.
    pub async fn sync_duties(&self, epoch: Epoch, indices: &[ValidatorIndex]) -> Result<Vec<SyncDuty>> {
        let path = format!("/eth/v1/validator/duties/sync/{epoch}");
        let body: Value = indices.iter().map(ToString::to_string).collect();
        let value = self.post(&path, &body).await?;
        let duty = |item: &Value| -> Result<SyncDuty> {
            let places = item["validator_sync_committee_indices"].as_array();
            let place = |place: &Value| self.member::<u64>(&path, place, "");
            Ok(SyncDuty {
                pubkey: self.member(&path, item, "/pubkey")?,
                validator_index: self.member(&path, item, "/validator_index")?,
                places: places.into_iter().flatten().map(place).collect::<Result<_>>()?,
            })
        };
        self.list(&path, &value)?.iter().map(duty).collect()
    }

    /// The root of the head that a member votes for. A head whose execution is not verified is an error, since nobody
    /// may vote for it.
    pub async fn head_root(&self) -> Result<Root> {
        let path = "/eth/v1/beacon/blocks/head/root";
        let value = self.get(path).await?;
        if value["execution_optimistic"].as_bool() == Some(true) {
            return self.read(path, Err("the head is optimistic: its execution is not verified yet"));
        }
        self.member(path, &value, "/data/root")
    }

    /// `validator/sync_committee_contribution`.
    pub async fn sync_contribution(
        &self,
        spec: &'static Spec,
        slot: Slot,
        subcommittee: u64,
        root: Root,
    ) -> Result<SyncCommitteeContribution> {
        let path = format!(
            "/eth/v1/validator/sync_committee_contribution?slot={slot}&subcommittee_index={subcommittee}\
             &beacon_block_root={root}"
        );
        let value = self.get(&path).await?;
        self.read(&path, SyncCommitteeContribution::from_json(&value["data"], spec.ctx_at_slot(slot)))
    }

    /// Publishes votes of the sync committee. [`super::ClientError::Refused`] names the ones that the node did not
    /// take.
    pub async fn submit_sync_messages(
        &self,
        spec: &'static Spec,
        messages: &[SyncCommitteeMessage],
    ) -> Result<()> {
        let body: Value = messages.iter().map(|item| item.to_json(spec.ctx_at_slot(item.slot))).collect();
        self.post("/eth/v1/beacon/pool/sync_committees", &body).await.map(|_| ())
    }

    /// Publishes contributions. [`super::ClientError::Refused`] names the ones that the node did not take.
    pub async fn submit_contributions(
        &self,
        spec: &'static Spec,
        contributions: &[SignedContributionAndProof],
    ) -> Result<()> {
        let slot = |item: &SignedContributionAndProof| item.message.contribution.slot;
        let json = |item: &SignedContributionAndProof| item.to_json(spec.ctx_at_slot(slot(item)));
        let body: Value = contributions.iter().map(json).collect();
        self.post("/eth/v1/validator/contribution_and_proofs", &body).await.map(|_| ())
    }

    /// Subscribes to subnets of the sync committee.
    pub async fn prepare_sync_committee_subnets(&self, subscriptions: &[SyncSubscription]) -> Result<()> {
        let json = |item: &SyncSubscription| {
            let places: Vec<String> = item.places.iter().map(ToString::to_string).collect();
            json!({
                "validator_index": item.validator_index.to_string(),
                "sync_committee_indices": places, "until_epoch": item.until_epoch.to_string(),
            })
        };
        let body: Value = subscriptions.iter().map(json).collect();
        self.post("/eth/v1/validator/sync_committee_subscriptions", &body).await.map(|_| ())
    }
}
