//! Judges what validators signed by the slashing conditions, over all logs together.
//!
//! This is the judge of the validator clients' own protection, so it shares no code with it.

use std::collections::BTreeMap;
use std::fmt;

use types::{BlsPubkey, Epoch, Slot};

use crate::{Signed, SignedLog, SignedWhat};

/// Two messages of one validator for which it can be slashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slashable {
    /// Two blocks of one slot.
    DoubleProposal {
        /// Whose.
        pubkey: BlsPubkey,
        /// The slot.
        slot: Slot,
    },
    /// Two attestations with one target epoch.
    DoubleVote {
        /// Whose.
        pubkey: BlsPubkey,
        /// The target.
        target: Epoch,
    },
    /// An attestation whose source and target lie around those of another.
    SurroundVote {
        /// Whose.
        pubkey: BlsPubkey,
        /// Source and target of the outer one.
        outer: (Epoch, Epoch),
        /// Source and target of the inner one.
        inner: (Epoch, Epoch),
    },
}

impl fmt::Display for Slashable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoubleProposal { pubkey, slot } => write!(f, "{pubkey} signed two blocks of slot {slot}"),
            Self::DoubleVote { pubkey, target } => {
                write!(f, "{pubkey} signed two attestations with target {target}")
            }
            Self::SurroundVote { pubkey, outer, inner } => write!(
                f,
                "{pubkey} signed attestation {}→{} around {}→{}",
                outer.0, outer.1, inner.0, inner.1
            ),
        }
    }
}

/// What was signed altogether.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signatures {
    /// Keys that signed anything.
    pub keys: usize,
    /// Blocks.
    pub blocks: usize,
    /// Attestations.
    pub attestations: usize,
    /// What should not be there: at most one finding of each kind a key and slot or epoch.
    pub slashable: Vec<Slashable>,
}

impl Signatures {
    /// Judges logs.
    pub fn judge(log: &SignedLog) -> Self {
        let keys: std::collections::BTreeSet<_> = log.signed.iter().map(|signed| signed.pubkey.0).collect();
        Self {
            keys: keys.len(),
            blocks: log.blocks(),
            attestations: log.attestations(),
            slashable: find_slashable(&log.signed),
        }
    }
}

#[derive(Default)]
struct History {
    blocks: Vec<(Slot, ssz::Root)>,
    votes: Vec<(Epoch, Epoch, ssz::Root)>,
}

/// Everything slashable among signatures in any order.
///
/// [`is_slashable_attestation_data`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#is_slashable_attestation_data)
/// and the condition of
/// [`process_proposer_slashing`](https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/beacon-chain.md#proposer-slashings).
pub fn find_slashable(signed: &[Signed]) -> Vec<Slashable> {
    let mut histories: BTreeMap<[u8; 48], History> = BTreeMap::new();
    for Signed { pubkey, what, signing_root } in signed {
        let history = histories.entry(pubkey.0).or_default();
        match *what {
            SignedWhat::Block { slot } => history.blocks.push((slot, *signing_root)),
            SignedWhat::Attestation { source, target } => {
                history.votes.push((source, target, *signing_root));
            }
        }
    }
    let mut found = Vec::new();
    for (pubkey, history) in histories {
        judge(BlsPubkey::from(pubkey), history, &mut found);
    }
    found
}

fn judge(pubkey: BlsPubkey, history: History, found: &mut Vec<Slashable>) {
    let doubles = repeated(history.blocks);
    found.extend(doubles.into_iter().map(|slot| Slashable::DoubleProposal { pubkey, slot }));
    let targets = history.votes.iter().map(|(_, target, root)| (*target, *root)).collect();
    found.extend(repeated(targets).into_iter().map(|target| Slashable::DoubleVote { pubkey, target }));

    // In the order of sources, a vote is surrounded exactly where a vote with a smaller source reached further. The
    // furthest one suffices: it surrounds whatever any other one does.
    let mut votes: Vec<(Epoch, Epoch)> =
        history.votes.into_iter().map(|(source, target, _)| (source, target)).collect();
    votes.sort_unstable();
    votes.dedup();
    let mut furthest: Option<(Epoch, Epoch)> = None;
    // Votes of one source do not surround each other, so that a source's own reach counts only after all its votes.
    for same_source in votes.chunk_by(|a, b| a.0 == b.0) {
        if let Some(outer) = furthest {
            let inside = same_source.iter().filter(|vote| vote.1 < outer.1);
            found.extend(inside.map(|inner| Slashable::SurroundVote { pubkey, outer, inner: *inner }));
        }
        let last = same_source.last().copied();
        if last.map(|vote| vote.1) > furthest.map(|vote| vote.1) {
            furthest = last;
        }
    }
}

/// The keys that stand with more than one root, each once.
fn repeated<K: Ord + Copy>(mut entries: Vec<(K, ssz::Root)>) -> Vec<K> {
    entries.sort_unstable_by_key(|(key, root)| (*key, root.0));
    // The same message signed again is the same signature.
    entries.dedup();
    let groups = entries.chunk_by(|a, b| a.0 == b.0);
    groups.filter(|group| group.len() > 1).map(|group| group[0].0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssz::Root;

    fn key(number: u8) -> BlsPubkey {
        BlsPubkey::from([number; 48])
    }

    /// Signatures as text: `b5` a block of slot 5, `2>3` an attestation; `'` is another message of the same place,
    /// `/` begins the next validator.
    fn signed(text: &str) -> Vec<Signed> {
        let validators = text.split('/').enumerate();
        validators.flat_map(|(who, list)| list.split_whitespace().map(move |item| one(who, item))).collect()
    }

    fn one(who: usize, item: &str) -> Signed {
        let plain = item.trim_end_matches('\'');
        let what = match plain.split_once('>') {
            Some((source, target)) => {
                SignedWhat::Attestation { source: source.parse().unwrap(), target: target.parse().unwrap() }
            }
            None => SignedWhat::Block { slot: plain.trim_start_matches('b').parse().unwrap() },
        };
        let signing_root = Root::from(crypto::hash(item.as_bytes()));
        Signed { pubkey: key(u8::try_from(who).unwrap()), what, signing_root }
    }

    #[track_caller]
    fn check(text: &str, expected: &[Slashable]) {
        let mut signatures = signed(text);
        assert_eq!(find_slashable(&signatures), expected, "{text}");
        signatures.reverse();
        assert_eq!(find_slashable(&signatures), expected, "{text}, backwards");
    }

    fn surround(outer: (u64, u64), inner: (u64, u64)) -> Slashable {
        let vote = |(source, target)| (Epoch(source), Epoch(target));
        Slashable::SurroundVote { pubkey: key(0), outer: vote(outer), inner: vote(inner) }
    }

    #[test]
    fn an_honest_history_is_clean() {
        check("", &[]);
        check("b1 b9 b10 0>1 1>2 2>3 2>4 4>5", &[]);
    }

    #[test]
    fn the_same_message_again_is_no_offence() {
        check("b5 b5 2>3 2>3", &[]);
    }

    #[test]
    fn two_blocks_of_one_slot_are_found_once() {
        check("b4 b5 b5' b5'' b6", &[Slashable::DoubleProposal { pubkey: key(0), slot: Slot(5) }]);
    }

    #[test]
    fn two_votes_of_one_target_are_found_also_with_different_sources() {
        let double = Slashable::DoubleVote { pubkey: key(0), target: Epoch(3) };
        check("1>2 2>3 2>3'", &[double]);
        check("1>2 1>3 2>3", &[double]);
    }

    #[test]
    fn surrounding_votes_are_found_whichever_was_signed_first() {
        check("1>6 2>3", &[surround((1, 6), (2, 3))]);
        check("0>9 1>6 2>3", &[surround((0, 9), (1, 6)), surround((0, 9), (2, 3))]);
        // The furthest reach comes from a vote between others.
        check("0>1 1>7 2>8 3>4", &[surround((2, 8), (3, 4))]);
    }

    #[test]
    fn votes_with_an_equal_source_or_target_do_not_surround() {
        check("1>2 1>6", &[]);
        check("3>4 3>5 4>6", &[]);
        check("1>5 2>5'", &[Slashable::DoubleVote { pubkey: key(0), target: Epoch(5) }]);
    }

    #[test]
    fn different_validators_do_not_offend_each_other() {
        check("b5 1>6 2>7 / b5' 2>3 / 1>2", &[]);
        let other = Slashable::DoubleProposal { pubkey: key(1), slot: Slot(5) };
        check("b5 / b5 b5'", &[other]);
    }

    /// Every pair by the specification's words.
    fn naive(signatures: &[Signed]) -> bool {
        let pairs = signatures.iter().flat_map(|a| signatures.iter().map(move |b| (a, b)));
        pairs.filter(|(a, b)| a.pubkey == b.pubkey && a.signing_root != b.signing_root).any(|(a, b)| {
            match (a.what, b.what) {
                (SignedWhat::Block { slot }, SignedWhat::Block { slot: other }) => slot == other,
                (
                    SignedWhat::Attestation { source, target },
                    SignedWhat::Attestation { source: source_2, target: target_2 },
                ) => target == target_2 || (source < source_2 && target_2 < target),
                _ => false,
            }
        })
    }

    #[test]
    fn random_histories_are_judged_as_by_every_pair() {
        use rand::{Rng, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let (mut clean, mut dirty) = (0, 0);
        for _ in 0..4000 {
            let signatures: Vec<Signed> = (0..random.random_range(2..6))
                .map(|_| {
                    let source = random.random_range(0..8);
                    let target = source + random.random_range(1..4);
                    let mark = if random.random_range(0..8) == 0 { "'" } else { "" };
                    one(random.random_range(0..2), &format!("{source}>{target}{mark}"))
                })
                .collect();
            let offends = !find_slashable(&signatures).is_empty();
            assert_eq!(offends, naive(&signatures), "{signatures:?}");
            if offends { dirty += 1 } else { clean += 1 }
        }
        assert!(clean > 300 && dirty > 300, "{clean} clean, {dirty} dirty");
    }
}
