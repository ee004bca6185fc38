//! The [`light_client`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/light_client) vectors: both
//! ends of the protocol, and the order of updates. (`single_merkle_proof` is [`merkle_proof`](super::merkle_proof).)

mod data_collection;
mod sync;
mod update_ranking;

use anyhow::{anyhow, bail, ensure};
use ssz::{Ssz, SszExt};
use transition::misc::compute_fork_digest;
use types::constants::FAR_FUTURE_EPOCH;
use types::{ForkDigest, ForkName, Root, Spec};

use super::NotBuilt;
use crate::case::Case;

const GLOAS_DATA: &str =
    "the case goes on with data of Gloas, which is not built; all before them is as it says";

/// The runner of a handler, if it is one of these.
pub fn runner_of(handler: &str) -> Option<fn(&Case) -> super::Result> {
    match handler {
        "sync" => Some(sync::run),
        "update_ranking" => Some(update_ranking::run),
        "data_collection" => Some(data_collection::run),
        _ => None,
    }
}

/// The fork whose digest this is. One that is of no fork, where Gloas is scheduled, is Gloas's.
fn fork_of_digest(spec: &Spec, genesis_validators_root: Root, digest: &str) -> anyhow::Result<ForkName> {
    let digest: ForkDigest = digest.parse()?;
    // Digests change with forks, and since Fulu with the limits of blobs too.
    let starts = ForkName::ALL.into_iter().map(|fork| spec.fork_epoch(fork));
    let starts = starts.chain(spec.config.blob_schedule.iter().map(|entry| entry.epoch));
    let mut begun = starts.filter(|epoch| *epoch != FAR_FUTURE_EPOCH);
    let found = begun.find(|epoch| compute_fork_digest(spec, genesis_validators_root, *epoch) == digest);
    match found {
        Some(epoch) => Ok(spec.fork_name_at_epoch(epoch)),
        None if spec.config.gloas_fork_epoch != FAR_FUTURE_EPOCH => Err(NotBuilt(GLOAS_DATA).into()),
        None => bail!("no fork has the digest {digest}"),
    }
}

/// The object of a file `NAME.ssz` in the form of a fork.
fn object<T: Ssz>(case: &Case, name: &str, fork: ForkName) -> anyhow::Result<T> {
    let ctx = case.spec()?.ctx(fork);
    let bytes = case.bytes(&format!("{name}.ssz"))?;
    let value = T::from_ssz(&bytes, ctx).map_err(|error| anyhow!("{name}: {error}"))?;
    ensure!(value.to_ssz(ctx) == bytes, "{name} encodes to other bytes");
    Ok(value)
}
