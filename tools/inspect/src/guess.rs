//! What type some bytes are, where nobody says it.

use ssz::{Ctx, Schema, SszExt};
use types::{ForkName, Spec};

use crate::value::Value;

/// Types that are looked for, the likeliest first; where several fit, the first is taken and the others are named.
const CANDIDATES: [&str; 24] = [
    "BeaconState",
    "SignedBeaconBlock",
    "BeaconBlock",
    "SignedAggregateAndProof",
    "Attestation",
    "SingleAttestation",
    "AttesterSlashing",
    "ProposerSlashing",
    "BlobSidecar",
    "DataColumnSidecar",
    "LightClientBootstrap",
    "LightClientUpdate",
    "LightClientFinalityUpdate",
    "LightClientOptimisticUpdate",
    "ExecutionPayload",
    "ExecutionPayloadHeader",
    "BeaconBlockBody",
    "SyncCommittee",
    "SignedContributionAndProof",
    "SyncCommitteeMessage",
    "SignedVoluntaryExit",
    "SignedBLSToExecutionChange",
    "SignedBeaconBlockHeader",
    "Validator",
];

/// The schema of a container by name; none where there is no such container.
pub fn schema_by_name(name: &str, ctx: Ctx) -> Option<Schema> {
    types::with_container!(name, T => Some(T::schema_of(ctx)), else { None })
}

/// A type that bytes fit.
#[derive(Clone, Debug)]
pub struct Guess {
    /// The type's name.
    pub name: String,
    /// The preset's name.
    pub preset: &'static str,
    /// The forks in whose form they fit, oldest first.
    pub forks: Vec<ForkName>,
    /// The schema in the form of the newest of these forks.
    pub schema: Schema,
}

/// All types that the bytes fit strictly, the likeliest first. `only` restricts it to one name.
pub fn guess(bytes: &[u8], only: Option<&str>) -> Vec<Guess> {
    let mut guesses: Vec<Guess> = Vec::new();
    let names = only.map_or(CANDIDATES.to_vec(), |only| vec![only]);
    for name in names {
        for (preset, spec) in [("mainnet", Spec::mainnet()), ("minimal", Spec::minimal())] {
            for fork in ForkName::ALL {
                let fits = |schema: &Schema| Value::read(schema, bytes).is_ok();
                let Some(schema) = schema_by_name(name, spec.ctx(fork)).filter(fits) else { continue };
                match guesses.last_mut().filter(|last| last.name == name && last.preset == preset) {
                    Some(last) => {
                        last.forks.push(fork);
                        last.schema = schema;
                    }
                    None => guesses.push(Guess { name: name.to_owned(), preset, forks: vec![fork], schema }),
                }
            }
        }
    }
    guesses
}
