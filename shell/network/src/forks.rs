//! The fork digests of a network, epoch by epoch: what its topics, records and response chunks are told apart by.
//!
//! A digest changes at each fork, and from Fulu on also where only the number of blobs changes. All of them follow
//! from the specification and the genesis, so they are computed once:
//!
//! ```text
//!  epoch    0          5          6            9             12
//!           | phase 0  | Altair   | Fulu       | Fulu        |  Fulu, 21 blobs
//!  digest   a          b          c            d (15 blobs)  e
//! ```

use sha2::{Digest, Sha256};
use types::constants::{FAR_FUTURE_EPOCH, GENESIS_EPOCH};
use types::{Epoch, ForkDigest, ForkName, Root, Slot, Spec};

use crate::reqresp::protocol::Protocol;

/// Epochs before a digest's first one from which its topics are heard.
pub const TOPICS_AHEAD_EPOCHS: u64 = 1;
/// Epochs after a digest's last one for which its topics are still heard.
pub const TOPICS_BEHIND_EPOCHS: u64 = 2;

/// [`compute_fork_digest`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/beacon-chain.md#modified-compute_fork_digest)
/// of any fork. The network computes it by itself, since it needs nothing else of the state transition.
fn compute_fork_digest(spec: &Spec, genesis_validators_root: Root, epoch: Epoch) -> ForkDigest {
    let mut version = [0; 32];
    version[..4].copy_from_slice(&spec.compute_fork_version(epoch).0);
    // The root of `ForkData`, a container of two chunks.
    let mut digest: [u8; 32] = Sha256::digest([version, genesis_validators_root.0].concat()).into();
    if spec.fork_name_at_epoch(epoch) >= ForkName::Fulu {
        let parameters = spec.get_blob_parameters(epoch);
        let numbers = [parameters.epoch.0, parameters.max_blobs_per_block].map(u64::to_le_bytes);
        let mask: [u8; 32] = Sha256::digest(numbers.concat()).into();
        digest.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    }
    ForkDigest::from([digest[0], digest[1], digest[2], digest[3]])
}

/// The epochs in which one digest rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestPeriod {
    /// The first epoch.
    pub start: Epoch,
    /// The first epoch after it, [`FAR_FUTURE_EPOCH`] for the last period that is scheduled.
    pub end: Epoch,
    /// The fork whose types are in use.
    pub fork: ForkName,
    /// The digest.
    pub digest: ForkDigest,
}

/// All periods of a network, oldest first. There is at least one, they leave no epoch out, and each has a digest of
/// its own.
#[derive(Debug, Clone)]
pub struct ForkSchedule {
    spec: &'static Spec,
    periods: Vec<DigestPeriod>,
}

impl ForkSchedule {
    /// The schedule of a network with this genesis.
    pub fn new(spec: &'static Spec, genesis_validators_root: Root) -> Self {
        let fulu = spec.fork_epoch(ForkName::Fulu);
        // Before Fulu, a change of the blob parameters changes no digest.
        let blobs = spec.config.blob_schedule.iter().map(|entry| entry.epoch).filter(|epoch| *epoch > fulu);
        let forks = ForkName::ALL.into_iter().map(|fork| spec.fork_epoch(fork));
        let mut starts: Vec<Epoch> = forks.chain(blobs).filter(|epoch| *epoch != FAR_FUTURE_EPOCH).collect();
        starts.sort();
        starts.dedup();
        let ends = starts.iter().skip(1).copied().chain([FAR_FUTURE_EPOCH]);
        let period = |(start, end): (&Epoch, Epoch)| DigestPeriod {
            start: *start,
            end,
            fork: spec.fork_name_at_epoch(*start),
            digest: compute_fork_digest(spec, genesis_validators_root, *start),
        };
        let periods = starts.iter().zip(ends).map(period).collect();
        Self { spec, periods }
    }

    /// The specification that it is of.
    pub fn spec(&self) -> &'static Spec {
        self.spec
    }

    /// Every period, oldest first.
    pub fn periods(&self) -> &[DigestPeriod] {
        &self.periods
    }

    /// The period of an epoch.
    pub fn at(&self, epoch: Epoch) -> DigestPeriod {
        let begun = self.periods.iter().rfind(|period| period.start <= epoch);
        *begun.expect("phase 0 begins with epoch 0")
    }

    /// The digest that a message of a slot is published under.
    pub fn digest_at_slot(&self, slot: Slot) -> ForkDigest {
        self.at(slot.epoch(self.spec)).digest
    }

    /// The period after that of an epoch, if another is scheduled.
    pub fn next(&self, epoch: Epoch) -> Option<DigestPeriod> {
        self.periods.iter().find(|period| period.start > epoch).copied()
    }

    /// The fork whose types messages under a digest have; `None` for a digest of another network.
    pub fn fork_of(&self, digest: ForkDigest) -> Option<ForkName> {
        self.periods.iter().find(|period| period.digest == digest).map(|period| period.fork)
    }

    /// The fork whose types a response chunk has: by its context bytes, or phase 0 for a protocol without them.
    /// `None` where the digest is of another network or of a fork that does not know such chunks.
    pub fn fork_of_chunk(&self, protocol: Protocol, context: Option<[u8; 4]>) -> Option<ForkName> {
        let fork = match context {
            Some(digest) => self.fork_of(ForkDigest::from(digest))?,
            None => ForkName::Phase0,
        };
        (fork >= protocol.method.first_fork() && protocol.has_context() == context.is_some()).then_some(fork)
    }

    /// Periods whose topics are heard in an epoch: its own, one that begins soon, and those that ended lately, as
    /// <https://github.com/ethereum/consensus-specs/blob/master/specs/altair/p2p-interface.md#transitioning-the-gossip>
    /// wants it.
    pub fn heard_at(&self, epoch: Epoch) -> impl Iterator<Item = DigestPeriod> + '_ {
        let heard = move |period: &&DigestPeriod| {
            period.start <= epoch.saturating_add(TOPICS_AHEAD_EPOCHS)
                && (period.end == FAR_FUTURE_EPOCH || epoch < period.end + TOPICS_BEHIND_EPOCHS)
        };
        self.periods.iter().filter(heard).copied()
    }

    /// SSZ [`ENRForkID`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#eth2-field)
    /// in an epoch: present digest, next version, next epoch. A change of the blobs alone has the present version.
    pub fn enr_fork_id(&self, epoch: Epoch) -> [u8; 16] {
        let now = self.at(epoch);
        let (fork, next_epoch) = match self.next(epoch) {
            Some(next) => (next.fork, next.start),
            None => (now.fork, FAR_FUTURE_EPOCH),
        };
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&now.digest.0);
        bytes[4..8].copy_from_slice(&self.spec.fork_version(fork).0);
        bytes[8..].copy_from_slice(&next_epoch.0.to_le_bytes());
        bytes
    }

    /// The record's [`nfd`](https://github.com/ethereum/consensus-specs/blob/master/specs/fulu/p2p-interface.md#next-fork-digest)
    /// in an epoch: zeros where nothing more is scheduled, `None` where the network has no Fulu and no such entry.
    pub fn next_fork_digest(&self, epoch: Epoch) -> Option<[u8; 4]> {
        self.is_scheduled(ForkName::Fulu).then(|| self.next(epoch).map_or([0; 4], |next| next.digest.0))
    }

    /// The most blocks that a request may ask for in an epoch: `MAX_REQUEST_BLOCKS`, from Deneb on
    /// `MAX_REQUEST_BLOCKS_DENEB`.
    pub fn request_blocks_max(&self, epoch: Epoch) -> u64 {
        let config = &self.spec.config;
        let is_deneb = self.at(epoch).fork >= ForkName::Deneb;
        if is_deneb { config.max_request_blocks_deneb } else { config.max_request_blocks }
    }

    /// Whether a fork has an epoch.
    pub fn is_scheduled(&self, fork: ForkName) -> bool {
        self.spec.fork_epoch(fork) != FAR_FUTURE_EPOCH
    }

    /// The digest whose topics use phase 0's message ids; `None` where the network begins with a later fork.
    pub fn phase0_digest(&self) -> Option<ForkDigest> {
        let first = self.at(GENESIS_EPOCH);
        (first.fork == ForkName::Phase0).then_some(first.digest)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::reqresp::protocol::Method;

    /// Phase 0, Altair at 4, Deneb at 6, Fulu at 10, and more blobs at 12 and 20.
    pub(crate) fn schedule() -> ForkSchedule {
        let text = "PRESET_BASE: 'minimal'\nALTAIR_FORK_EPOCH: 4\nBELLATRIX_FORK_EPOCH: 6\nCAPELLA_FORK_EPOCH: 6\n\
            DENEB_FORK_EPOCH: 6\nELECTRA_FORK_EPOCH: 8\nFULU_FORK_EPOCH: 10\nBLOB_SCHEDULE:\n\
            \x20 - EPOCH: 7\n    MAX_BLOBS_PER_BLOCK: 10\n  - EPOCH: 12\n    MAX_BLOBS_PER_BLOCK: 12\n\
            \x20 - EPOCH: 20\n    MAX_BLOBS_PER_BLOCK: 21\n";
        let versions: String = ["GENESIS", "ALTAIR", "BELLATRIX", "CAPELLA", "DENEB", "ELECTRA", "FULU"]
            .iter()
            .enumerate()
            .map(|(number, fork)| format!("{fork}_FORK_VERSION: 0x0{number}000001\n"))
            .collect();
        let spec = Spec::from_yaml(&format!("{text}{versions}"), None).unwrap();
        ForkSchedule::new(spec, Root::from([7; 32]))
    }

    fn mainnet() -> ForkSchedule {
        let root = "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95";
        ForkSchedule::new(Spec::mainnet(), root.parse().unwrap())
    }

    #[test]
    fn mainnets_digests_are_those_that_its_nodes_announce() {
        let expected = [
            (0, ForkName::Phase0, "0xb5303f2a"),
            (74_240, ForkName::Altair, "0xafcaaba0"),
            (144_896, ForkName::Bellatrix, "0x4a26c58b"),
            (194_048, ForkName::Capella, "0xbba4da96"),
            (269_568, ForkName::Deneb, "0x6a95a1a9"),
            (364_032, ForkName::Electra, "0xad532ceb"),
        ];
        let schedule = mainnet();
        for (period, (start, fork, digest)) in schedule.periods().iter().zip(expected) {
            assert_eq!((period.start, period.fork), (Epoch(start), fork));
            assert_eq!(period.digest.to_string(), digest);
        }
        let fulu = schedule.periods()[6..].iter();
        let fulu: Vec<_> = fulu.map(|period| (period.start.0, period.digest.to_string())).collect();
        let expected = [(411_392, "0xcc2c5cdb"), (412_672, "0xcb0d1acc"), (419_072, "0x8c9f62fe")];
        assert_eq!(fulu, expected.map(|(start, digest)| (start, digest.to_owned())));
    }

    #[test]
    fn a_change_of_the_blobs_changes_the_digest_from_fulu_on_and_not_the_fork() {
        let schedule = schedule();
        let starts: Vec<u64> = schedule.periods().iter().map(|period| period.start.0).collect();
        assert_eq!(starts, [0, 4, 6, 8, 10, 12, 20]);
        let digests: std::collections::BTreeSet<_> =
            schedule.periods().iter().map(|period| period.digest).collect();
        assert_eq!(digests.len(), starts.len());
        let forks: Vec<ForkName> = schedule.periods()[4..].iter().map(|period| period.fork).collect();
        assert_eq!(forks, [ForkName::Fulu; 3]);
        for epoch in (0..30).map(Epoch) {
            let period = schedule.at(epoch);
            assert!(period.start <= epoch && epoch < period.end);
            assert_eq!(period.digest, compute_fork_digest(schedule.spec(), Root::from([7; 32]), epoch));
            assert_eq!(schedule.fork_of(period.digest), Some(schedule.spec().fork_name_at_epoch(epoch)));
        }
        assert_eq!(schedule.fork_of(ForkDigest::ZERO), None);
    }

    #[test]
    fn a_record_names_the_next_change_and_its_version_only_for_a_fork() {
        let schedule = schedule();
        let id = |epoch| schedule.enr_fork_id(Epoch(epoch));
        let digest = |epoch| schedule.at(Epoch(epoch)).digest.0;
        let expected = [&digest(9)[..], &[6, 0, 0, 1], &10u64.to_le_bytes()].concat();
        assert_eq!(id(9)[..], expected);
        assert_eq!(schedule.next_fork_digest(Epoch(9)), Some(digest(10)));
        let expected = [&digest(11)[..], &[6, 0, 0, 1], &12u64.to_le_bytes()].concat();
        assert_eq!(id(11)[..], expected);
        assert_eq!(schedule.next_fork_digest(Epoch(11)), Some(digest(12)));
        assert_eq!(id(20)[8..], [0xff; 8]);
        assert_eq!(schedule.next_fork_digest(Epoch(20)), Some([0; 4]));
        let minimal = ForkSchedule::new(Spec::minimal(), Root::ZERO);
        assert_eq!(minimal.next_fork_digest(Epoch(3)), None);
        assert_eq!(minimal.enr_fork_id(Epoch(3))[4..8], Spec::minimal().config.genesis_fork_version.0);
    }

    #[test]
    fn topics_of_a_digest_are_heard_from_an_epoch_before_it_to_two_after() {
        let schedule = schedule();
        let heard = |epoch: u64| -> Vec<u64> {
            schedule.heard_at(Epoch(epoch)).map(|period| period.start.0).collect()
        };
        assert_eq!(heard(2), [0]);
        assert_eq!(heard(3), [0, 4]);
        assert_eq!(heard(5), [0, 4, 6]);
        assert_eq!(heard(6), [4, 6]);
        assert_eq!(heard(13), [10, 12]);
        assert_eq!(heard(14), [12]);
        assert_eq!(heard(u64::MAX), [20]);
    }

    #[test]
    fn a_chunk_is_of_the_fork_of_its_context_if_that_fork_has_such_chunks() {
        let schedule = schedule();
        let digest = |epoch| Some(schedule.at(Epoch(epoch)).digest.0);
        let p = |method, version| Protocol { method, version };
        let fork = |protocol, context| schedule.fork_of_chunk(protocol, context);
        assert_eq!(fork(p(Method::BlocksByRange, 2), digest(13)), Some(ForkName::Fulu));
        assert_eq!(fork(p(Method::BlocksByRange, 2), digest(0)), Some(ForkName::Phase0));
        assert_eq!(fork(p(Method::BlocksByRange, 1), None), Some(ForkName::Phase0));
        assert_eq!(fork(p(Method::BlocksByRange, 2), None), None);
        assert_eq!(fork(p(Method::BlobsByRoot, 1), digest(6)), Some(ForkName::Deneb));
        assert_eq!(fork(p(Method::BlobsByRoot, 1), digest(5)), None);
        assert_eq!(fork(p(Method::ColumnsByRange, 1), digest(9)), None);
        assert_eq!(fork(p(Method::ColumnsByRange, 1), digest(20)), Some(ForkName::Fulu));
        assert_eq!(fork(p(Method::LightClientBootstrap, 1), digest(0)), None);
        assert_eq!(fork(p(Method::BlocksByRoot, 2), Some([9; 4])), None);
    }

    #[test]
    fn requests_ask_for_fewer_blocks_from_deneb_on() {
        let max = |epoch| schedule().request_blocks_max(Epoch(epoch));
        assert_eq!((max(5), max(6), max(30)), (1024, 128, 128));
    }

    #[test]
    fn only_a_network_that_begins_with_phase_0_has_its_message_ids() {
        let schedule = schedule();
        assert_eq!(schedule.phase0_digest(), Some(schedule.at(Epoch(0)).digest));
        let spec = Spec::from_yaml("PRESET_BASE: 'minimal'\nALTAIR_FORK_EPOCH: 0\n", None).unwrap();
        let later = ForkSchedule::new(spec, Root::ZERO);
        assert_eq!((later.phase0_digest(), later.periods().len()), (None, 1));
    }
}
