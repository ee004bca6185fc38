//! The names of gossip topics: `/eth2/{digest}/{name}/ssz_snappy`.

use types::ForkDigest;

/// A topic, its fork aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// `beacon_block`.
    Block,
    /// `beacon_aggregate_and_proof`.
    Aggregate,
    /// `beacon_attestation_{subnet}`.
    Attestation(u64),
    /// `voluntary_exit`.
    VoluntaryExit,
    /// `proposer_slashing`.
    ProposerSlashing,
    /// `attester_slashing`.
    AttesterSlashing,
}

impl Topic {
    /// Topics that every node hears.
    pub const GLOBAL: [Self; 5] =
        [Self::Block, Self::Aggregate, Self::VoluntaryExit, Self::ProposerSlashing, Self::AttesterSlashing];

    /// The topic's full name at a fork.
    pub fn name(self, digest: ForkDigest) -> String {
        let name = match self {
            Self::Block => "beacon_block".to_owned(),
            Self::Aggregate => "beacon_aggregate_and_proof".to_owned(),
            Self::Attestation(subnet) => format!("beacon_attestation_{subnet}"),
            Self::VoluntaryExit => "voluntary_exit".to_owned(),
            Self::ProposerSlashing => "proposer_slashing".to_owned(),
            Self::AttesterSlashing => "attester_slashing".to_owned(),
        };
        format!("/eth2/{}/{name}/ssz_snappy", hex::encode(digest.0))
    }

    /// The topic of a full name, with its digest.
    pub fn parse(full: &str) -> Option<(ForkDigest, Self)> {
        let mut parts = full.strip_prefix("/eth2/")?.split('/');
        let (digest, name, encoding) = (parts.next()?, parts.next()?, parts.next()?);
        if encoding != "ssz_snappy" || parts.next().is_some() {
            return None;
        }
        let topic = match name {
            "beacon_block" => Self::Block,
            "beacon_aggregate_and_proof" => Self::Aggregate,
            "voluntary_exit" => Self::VoluntaryExit,
            "proposer_slashing" => Self::ProposerSlashing,
            "attester_slashing" => Self::AttesterSlashing,
            _ => Self::Attestation(name.strip_prefix("beacon_attestation_")?.parse().ok()?),
        };
        Some((format!("0x{digest}").parse().ok()?, topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let digest = ForkDigest::from([1, 2, 3, 0xaf]);
        for topic in Topic::GLOBAL.into_iter().chain([Topic::Attestation(63)]) {
            assert_eq!(Topic::parse(&topic.name(digest)), Some((digest, topic)));
        }
        assert_eq!(Topic::Block.name(digest), "/eth2/010203af/beacon_block/ssz_snappy");
        assert_eq!(Topic::parse("/eth2/010203af/beacon_attestation_x/ssz_snappy"), None);
        assert_eq!(Topic::parse("/eth2/0102/beacon_block/ssz_snappy"), None);
    }
}
