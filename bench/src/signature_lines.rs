//! Gossip: batches of votes, each of one validator, from their compressed signatures, and from points as far as a job has
//! got when the batch begins.

use std::time::Duration;

use anyhow::{Context, ensure};
use crypto::{PointSet, PublicKey, SignatureSet, hash, verify_points, verify_signature_sets};
use synthetic::Keys;
use types::ValidatorIndex;

use crate::clock::{Cost, least, least_of_both, one};
use crate::line::{Line, Unit};
use crate::report::Report;
use crate::verify::{PlainSet, Points, verify_multiple, verify_on_two_threads};

/// Signatures in a batch.
const BATCH: usize = 128;

/// A seed as good as any for a measurement.
pub const SEED: [u8; 32] = [0x5e; 32];

/// How many messages the batch signs.
const KINDS: [(&str, usize); 3] = [("gossip-distinct", BATCH), ("gossip-mixed", 4), ("gossip-same", 1)];

/// The two of them that are also measured from points, and so without decompression.
const FROM_POINTS: [(&str, usize); 2] = [("gossip-distinct-points", BATCH), ("gossip-same-points", 1)];

/// Measures batches of 128 signatures over as many messages, over four, and over one; and sets of 128 keys each.
pub fn measure(report: &mut Report, budget: Duration) -> anyhow::Result<()> {
    let ratios = ["same-of-distinct", "same-of-distinct-points"];
    let names: Vec<&str> =
        KINDS.iter().chain(&FROM_POINTS).map(|(name, _)| *name).chain(ratios).chain(["aggregates"]).collect();
    if !report.wants_any(&names) {
        return Ok(());
    }
    let keys = Keys::new(0, 0);
    let single: Vec<Vec<usize>> = (0..BATCH).map(|index| vec![index]).collect();
    let mut costs = Vec::new();
    for (name, messages) in KINDS {
        costs.push(batch(report, name, &keys, &single, messages, budget)?);
    }
    let mut from_points = Vec::new();
    for (name, messages) in FROM_POINTS {
        from_points.push(batch_of_points(report, name, sets(&keys, &single, messages), budget)?);
    }
    for (name, same, distinct) in [
        ("same-of-distinct", costs[2], costs[0]),
        ("same-of-distinct-points", from_points[1], from_points[0]),
    ] {
        if report.wants(name) {
            report.add(Line::amount(name, "128 votes", Unit::Ratio, same.cpu_ns / distinct.cpu_ns));
        }
    }
    if report.wants("aggregates") {
        let signers: Vec<Vec<usize>> =
            (0..BATCH).map(|set| (set * BATCH..(set + 1) * BATCH).collect()).collect();
        batch(report, "aggregates", &keys, &signers, BATCH, budget)?;
    }
    Ok(())
}

fn batch(
    report: &mut Report,
    name: &str,
    keys: &Keys,
    signers: &[Vec<usize>],
    messages: usize,
    budget: Duration,
) -> anyhow::Result<Cost> {
    let (ours, plain) = sets(keys, signers, messages);
    ensure!(verify_ours(&ours), "{name}: valid signatures are refused");
    ensure!(verify_multiple(&plain) && verify_on_two_threads(&plain), "{name}: blst refuses them");
    let (cost, blst) = least_of_both(
        2 * budget,
        || one(|| (), |()| verify_ours(&ours)),
        || one(|| (), |()| verify_multiple(&plain)),
    );
    let subject = if signers[0].len() == 1 { "128 votes" } else { "128 sets of 128" };
    if report.wants(name) {
        let each = report.machine.speed.verify_ns;
        let line = Line::time(name, subject, cost).against("blst batch", blst);
        let rate = BATCH as f64 / cost.cpu_ns * 1e9;
        report.add(line.limited_by(format!("one verified ({rate:.0}/s)"), each));
    }
    if messages == BATCH && report.wants(&format!("{name}-2-threads")) {
        let two = least(budget, || (), |()| verify_on_two_threads(&plain));
        let line = Line::time(&format!("{name}-2-threads"), subject, two);
        report.add(Line { limit: Some(("blst's, for its wall time".to_owned(), blst.cpu_ns / 2.0)), ..line });
    }
    Ok(cost)
}

/// A batch of single keys whose signatures are decompressed, for us and for blst.
fn batch_of_points(
    report: &mut Report,
    name: &str,
    (ours, plain): (Vec<OwnSet>, Vec<PlainSet>),
    budget: Duration,
) -> anyhow::Result<Cost> {
    let ours: Vec<PointSet> = ours.iter().map(|set| set.summed().decompress()).collect();
    let plain = Points::of(&plain).context("the signatures are no points")?;
    let verify_ours = || verify_points(&ours, SEED).iter().all(Option::is_some);
    ensure!(verify_ours(), "{name}: valid signatures are refused");
    ensure!(plain.verify_multiple(), "{name}: blst refuses them");
    let (cost, blst) = least_of_both(
        2 * budget,
        || one(|| (), |()| verify_ours()),
        || one(|| (), |()| plain.verify_multiple()),
    );
    if report.wants(name) {
        let each = report.machine.speed.verify_ns;
        let line = Line::time(name, "128 votes", cost).against("blst batch", blst);
        let rate = BATCH as f64 / cost.cpu_ns * 1e9;
        report.add(line.limited_by(format!("one verified ({rate:.0}/s)"), each));
    }
    Ok(cost)
}

/// A set whose keys are still to be added up, which is part of what is measured.
struct OwnSet {
    message: [u8; 32],
    signature: [u8; 96],
    keys: Vec<PublicKey>,
}

impl OwnSet {
    fn summed(&self) -> SignatureSet {
        SignatureSet::of_keys(self.message, self.signature, &self.keys)
    }
}

fn verify_ours(sets: &[OwnSet]) -> bool {
    verify_signature_sets(&sets.iter().map(OwnSet::summed).collect::<Vec<_>>(), SEED)
}

/// The same sets for us and for blst: each of its signers, over one of so many messages.
fn sets(keys: &Keys, signers: &[Vec<usize>], messages: usize) -> (Vec<OwnSet>, Vec<PlainSet>) {
    let set = |(place, signers): (usize, &Vec<usize>)| {
        let message = hash(&((place % messages) as u64).to_le_bytes());
        let indices = signers.iter().map(|index| ValidatorIndex(*index as u64));
        let signature =
            keys.aggregate_secret(indices).expect("every set has signers").sign(&message).compress();
        let points: Vec<_> = signers.iter().map(|index| keys.secret(*index).public_key()).collect();
        let plain = PlainSet { message, pubkeys: points.iter().map(plain_key).collect(), signature };
        (OwnSet { message, signature, keys: points }, plain)
    };
    signers.iter().enumerate().map(set).unzip()
}

/// A key as blst has it.
pub fn plain_key(key: &PublicKey) -> blst::min_pk::PublicKey {
    blst::min_pk::PublicKey::from_bytes(&key.compress()).expect("a key of ours is one of blst's")
}
