//! Topics of every fork, `/eth2/{digest}/{name}/ssz_snappy`, and which of them a node has in an epoch.
//!
//! A topic is named by its digest, so each change of the digest gives every topic a new name. The new ones are joined
//! before the change and the old ones left after it:
//!
//! ```text
//!  epoch            9        10       11       12       13
//!  digest of ≤ 10   ─────────────────────────────────┐
//!  digest of ≥ 11            └──────────────────────────────
//! ```

use std::collections::BTreeSet;

use types::constants::SYNC_COMMITTEE_SUBNET_COUNT;
use types::{Epoch, ForkDigest, ForkName, Slot, Spec};

use super::message_id::topic_digest;
use crate::forks::ForkSchedule;

/// What a topic carries, its digest aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// `beacon_block`: a `SignedBeaconBlock`.
    BeaconBlock,
    /// `beacon_aggregate_and_proof`: a `SignedAggregateAndProof`.
    AggregateAndProof,
    /// `beacon_attestation_{subnet}`: an `Attestation`, from Electra on a `SingleAttestation`.
    Attestation(u64),
    /// `voluntary_exit`: a `SignedVoluntaryExit`.
    VoluntaryExit,
    /// `proposer_slashing`: a `ProposerSlashing`.
    ProposerSlashing,
    /// `attester_slashing`: an `AttesterSlashing`.
    AttesterSlashing,
    /// `sync_committee_contribution_and_proof`: a `SignedContributionAndProof` (Altair).
    ContributionAndProof,
    /// `sync_committee_{subnet}`: a `SyncCommitteeMessage` (Altair).
    SyncCommittee(u64),
    /// `bls_to_execution_change`: a `SignedBLSToExecutionChange` (Capella).
    BlsToExecutionChange,
    /// `blob_sidecar_{subnet}`: a `BlobSidecar` (Deneb and Electra).
    BlobSidecar(u64),
    /// `data_column_sidecar_{subnet}`: a `DataColumnSidecar` (Fulu).
    DataColumnSidecar(u64),
    /// `light_client_finality_update`: a `LightClientFinalityUpdate` (Altair).
    LightClientFinalityUpdate,
    /// `light_client_optimistic_update`: a `LightClientOptimisticUpdate` (Altair).
    LightClientOptimisticUpdate,
}

/// Topics without a number.
const GLOBAL: [(Topic, &str); 9] = [
    (Topic::BeaconBlock, "beacon_block"),
    (Topic::AggregateAndProof, "beacon_aggregate_and_proof"),
    (Topic::VoluntaryExit, "voluntary_exit"),
    (Topic::ProposerSlashing, "proposer_slashing"),
    (Topic::AttesterSlashing, "attester_slashing"),
    (Topic::ContributionAndProof, "sync_committee_contribution_and_proof"),
    (Topic::BlsToExecutionChange, "bls_to_execution_change"),
    (Topic::LightClientFinalityUpdate, "light_client_finality_update"),
    (Topic::LightClientOptimisticUpdate, "light_client_optimistic_update"),
];

/// Topics with a number: what makes one, and the name before the number.
type Numbered = (fn(u64) -> Topic, &'static str);
const NUMBERED: [Numbered; 4] = [
    (Topic::Attestation, "beacon_attestation_"),
    (Topic::SyncCommittee, "sync_committee_"),
    (Topic::BlobSidecar, "blob_sidecar_"),
    (Topic::DataColumnSidecar, "data_column_sidecar_"),
];

impl Topic {
    /// The subnet of a topic that has one.
    pub fn subnet(self) -> Option<u64> {
        match self {
            Self::Attestation(subnet)
            | Self::SyncCommittee(subnet)
            | Self::BlobSidecar(subnet)
            | Self::DataColumnSidecar(subnet) => Some(subnet),
            _ => None,
        }
    }

    /// The topic's full name under a digest.
    pub fn name(self, digest: ForkDigest) -> String {
        let digest = hex::encode(digest.0);
        if let Some((_, name)) = GLOBAL.iter().find(|(topic, _)| *topic == self) {
            return format!("/eth2/{digest}/{name}/ssz_snappy");
        }
        let subnet = self.subnet().unwrap_or_default();
        let (_, name) =
            NUMBERED.iter().find(|(of, _)| of(subnet) == self).expect("each kind stands in a table");
        format!("/eth2/{digest}/{name}{subnet}/ssz_snappy")
    }

    /// The topic of a full name, with its digest; `None` for other texts. A number has no sign and no leading zeros.
    pub fn parse(full: &str) -> Option<(ForkDigest, Self)> {
        let digest = ForkDigest::from(topic_digest(full)?);
        let name = full.split('/').nth(3)?;
        if let Some((topic, _)) = GLOBAL.iter().find(|(_, known)| *known == name) {
            return Some((digest, *topic));
        }
        let numbered = |(of, prefix): &Numbered| {
            let number = name.strip_prefix(prefix)?;
            let canonical = number.bytes().all(|byte| byte.is_ascii_digit())
                && (number == "0" || !number.starts_with('0'));
            canonical.then(|| number.parse().ok().map(of)).flatten()
        };
        Some((digest, NUMBERED.iter().find_map(numbered)?))
    }

    /// Whether the topic exists in a fork of a network; subnets outside their count do not.
    pub fn exists_in(self, spec: &Spec, fork: ForkName) -> bool {
        let config = &spec.config;
        match self {
            Self::BeaconBlock
            | Self::AggregateAndProof
            | Self::VoluntaryExit
            | Self::ProposerSlashing
            | Self::AttesterSlashing => true,
            Self::Attestation(subnet) => subnet < config.attestation_subnet_count,
            Self::SyncCommittee(subnet) => fork >= ForkName::Altair && subnet < SYNC_COMMITTEE_SUBNET_COUNT,
            Self::ContributionAndProof
            | Self::LightClientFinalityUpdate
            | Self::LightClientOptimisticUpdate => fork >= ForkName::Altair,
            Self::BlsToExecutionChange => fork >= ForkName::Capella,
            Self::BlobSidecar(subnet) => match fork {
                ForkName::Deneb => subnet < config.blob_sidecar_subnet_count,
                ForkName::Electra => subnet < config.blob_sidecar_subnet_count_electra,
                _ => false,
            },
            Self::DataColumnSidecar(subnet) => {
                fork >= ForkName::Fulu && subnet < config.data_column_sidecar_subnet_count
            }
        }
    }
}

/// What a node hears besides the topics that every node hears.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// Attestation subnets.
    pub attestation: BTreeSet<u64>,
    /// Sync committee subnets.
    pub sync: BTreeSet<u64>,
    /// Column subnets, those of the columns in custody.
    pub columns: BTreeSet<u64>,
    /// Whether updates for light clients are heard.
    pub light_clients: bool,
}

impl Subscriptions {
    /// Every subnet of a network.
    pub fn all(spec: &Spec) -> Self {
        Self {
            attestation: (0..spec.config.attestation_subnet_count).collect(),
            sync: (0..SYNC_COMMITTEE_SUBNET_COUNT).collect(),
            columns: (0..spec.config.data_column_sidecar_subnet_count).collect(),
            light_clients: true,
        }
    }

    /// The topics of a fork. Of blobs every subnet is heard, as the specification wants it.
    pub fn topics_in(&self, spec: &Spec, fork: ForkName) -> BTreeSet<Topic> {
        let is_for_light_clients = |topic: Topic| {
            matches!(topic, Topic::LightClientFinalityUpdate | Topic::LightClientOptimisticUpdate)
        };
        let config = &spec.config;
        let blobs = config.blob_sidecar_subnet_count.max(config.blob_sidecar_subnet_count_electra);
        let global = GLOBAL.iter().map(|(topic, _)| *topic);
        let attestation = self.attestation.iter().copied().map(Topic::Attestation);
        let sync = self.sync.iter().copied().map(Topic::SyncCommittee);
        let columns = self.columns.iter().copied().map(Topic::DataColumnSidecar);
        global
            .filter(|topic| self.light_clients || !is_for_light_clients(*topic))
            .chain(attestation)
            .chain(sync)
            .chain((0..blobs).map(Topic::BlobSidecar))
            .chain(columns)
            .filter(|topic| topic.exists_in(spec, fork))
            .collect()
    }
}

/// The full names of the topics to have in an epoch: those of its digest, of one that begins
/// [`crate::TOPICS_AHEAD_EPOCHS`] later, and of those that ended up to [`crate::TOPICS_BEHIND_EPOCHS`] before.
pub fn topics_at(schedule: &ForkSchedule, epoch: Epoch, wanted: &Subscriptions) -> BTreeSet<String> {
    let topics = |period: crate::DigestPeriod| {
        let topics = wanted.topics_in(schedule.spec(), period.fork);
        topics.into_iter().map(move |topic| topic.name(period.digest))
    };
    schedule.heard_at(epoch).flat_map(topics).collect()
}

/// The full name of the topic that a message of a slot is published to; `None` where the slot's fork lacks it.
/// Messages without a slot go by the present one.
pub fn topic_at_slot(schedule: &ForkSchedule, topic: Topic, slot: Slot) -> Option<String> {
    let period = schedule.at(slot.epoch(schedule.spec()));
    topic.exists_in(schedule.spec(), period.fork).then(|| topic.name(period.digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forks::tests::schedule;

    fn few() -> Subscriptions {
        Subscriptions {
            attestation: [3, 17, 99].into(),
            sync: [1, 7].into(),
            columns: [0, 127, 128].into(),
            light_clients: false,
        }
    }

    /// The names of an epoch's topics under the digest of another.
    fn names(epoch: u64, of: u64) -> Vec<String> {
        let schedule = schedule();
        let digest = schedule.at(Epoch(of)).digest;
        let topics = topics_at(&schedule, Epoch(epoch), &few());
        topics
            .iter()
            .filter_map(|full| Topic::parse(full).filter(|(of, _)| *of == digest))
            .map(|(digest, topic)| topic.name(digest).split('/').nth(3).unwrap().to_owned())
            .collect()
    }

    const PHASE0: [&str; 7] = [
        "attester_slashing",
        "beacon_aggregate_and_proof",
        "beacon_attestation_17",
        "beacon_attestation_3",
        "beacon_block",
        "proposer_slashing",
        "voluntary_exit",
    ];

    fn with(more: &[&str]) -> Vec<String> {
        let all: BTreeSet<&str> = PHASE0.iter().chain(more).copied().collect();
        all.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn each_fork_has_its_topics_and_subnets_that_do_not_exist_are_left_out() {
        let sync = ["sync_committee_1", "sync_committee_contribution_and_proof"];
        let changes = [&sync[..], &["bls_to_execution_change"]].concat();
        let blobs: Vec<String> = (0..9).map(|subnet| format!("blob_sidecar_{subnet}")).collect();
        let blobs: Vec<&str> = blobs.iter().map(String::as_str).collect();
        assert_eq!(names(0, 0), with(&[]));
        assert_eq!(names(4, 4), with(&sync));
        assert_eq!(names(6, 6), with(&[&changes, &blobs[..6]].concat()));
        assert_eq!(names(8, 8), with(&[&changes, &blobs[..9]].concat()));
        let columns = ["data_column_sidecar_0", "data_column_sidecar_127"];
        assert_eq!(names(10, 10), with(&[&changes[..], &columns].concat()));
        assert_eq!(names(25, 25), names(10, 10));
    }

    #[test]
    fn at_a_boundary_both_digests_are_heard_and_later_the_new_one_alone() {
        // Phase 0 to Altair at 4, and a change of the blobs at 20.
        for (boundary, before) in [(4, 0), (20, 12)] {
            assert_eq!(names(boundary - 2, boundary), Vec::<String>::new());
            assert!(!names(boundary - 1, boundary).is_empty());
            assert_eq!(names(boundary - 1, boundary), names(boundary, boundary));
            for epoch in [boundary - 1, boundary, boundary + 1] {
                assert_eq!(names(epoch, before), names(before, before), "{epoch}");
            }
            assert_eq!(names(boundary + 2, before), Vec::<String>::new());
        }
    }

    #[test]
    fn no_slot_is_published_to_a_topic_that_is_not_heard_then_or_an_epoch_around() {
        let schedule = schedule();
        let wanted = Subscriptions::all(schedule.spec());
        let slots_per_epoch = schedule.spec().preset.slots_per_epoch;
        for slot in (0..25 * slots_per_epoch).map(Slot) {
            let epoch = slot.epoch(schedule.spec());
            for topic in wanted.topics_in(schedule.spec(), schedule.at(epoch).fork) {
                let name = topic_at_slot(&schedule, topic, slot).unwrap();
                for hearer in [epoch.saturating_sub(1), epoch, epoch + 1] {
                    assert!(topics_at(&schedule, hearer, &wanted).contains(&name), "{name} at {hearer}");
                }
            }
        }
        assert_eq!(topic_at_slot(&schedule, Topic::BlsToExecutionChange, Slot(0)), None);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let digest = ForkDigest::from([1, 2, 3, 0xaf]);
        let numbered = NUMBERED.iter().flat_map(|(of, _)| [0, 5, 127].map(of));
        for topic in GLOBAL.iter().map(|(topic, _)| *topic).chain(numbered) {
            assert_eq!(Topic::parse(&topic.name(digest)), Some((digest, topic)));
        }
        assert_eq!(Topic::SyncCommittee(3).name(digest), "/eth2/010203af/sync_committee_3/ssz_snappy");
        for bad in ["sync_committee_x", "sync_committee_03", "sync_committee_+3", "blob_sidecar_", "block"] {
            assert_eq!(Topic::parse(&format!("/eth2/010203af/{bad}/ssz_snappy")), None, "{bad}");
        }
        assert_eq!(Topic::parse("/eth2/0102/beacon_block/ssz_snappy"), None);
    }

    #[test]
    fn a_peer_on_every_subnet_stays_within_what_we_let_it_subscribe_to() {
        let schedule = schedule();
        let all = Subscriptions::all(schedule.spec());
        let most = (0..30).map(|epoch| topics_at(&schedule, Epoch(epoch), &all).len()).max().unwrap();
        // Two epochs apart, three digests of Fulu are heard at most.
        assert!(most > 400 && most <= super::super::config::TOPICS_MAX, "{most}");
        assert!(all.topics_in(schedule.spec(), ForkName::Fulu).len() <= super::super::config::TOPICS_MAX / 4);
    }
}
