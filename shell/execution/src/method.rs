//! The methods of the Engine API: their names, which fork uses which version, how long an answer may take and how large
//! it may be.
//!
//! The deadlines are those of the [Engine API](https://github.com/ethereum/execution-apis/tree/main/src/engine); what
//! it leaves open has the deadline of its kin.

use types::ForkName;

/// A method.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// How long an engine may take, in milliseconds.
    pub timeout_ms: u64,
    /// The largest answer that is read, in bytes. A larger one is an error, and the rest of it is not read.
    pub answer_bytes_max: usize,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

macro_rules! methods {
    ($($constant:ident = $name:literal, $timeout_ms:literal, $bytes:expr;)*) => {
        $(pub(crate) const $constant: Method =
            Method { name: $name, timeout_ms: $timeout_ms, answer_bytes_max: $bytes };)*
    };
}

// A payload is at most 10 MiB on the wire and twice that in hexadecimal; 72 blobs are 18 MiB in hexadecimal. Bodies and
// blobs are asked for by the count that these bounds allow.
methods! {
    NEW_PAYLOAD_V1 = "engine_newPayloadV1", 8000, 64 * KIB;
    NEW_PAYLOAD_V2 = "engine_newPayloadV2", 8000, 64 * KIB;
    NEW_PAYLOAD_V3 = "engine_newPayloadV3", 8000, 64 * KIB;
    NEW_PAYLOAD_V4 = "engine_newPayloadV4", 8000, 64 * KIB;
    FORKCHOICE_UPDATED_V1 = "engine_forkchoiceUpdatedV1", 8000, 64 * KIB;
    FORKCHOICE_UPDATED_V2 = "engine_forkchoiceUpdatedV2", 8000, 64 * KIB;
    FORKCHOICE_UPDATED_V3 = "engine_forkchoiceUpdatedV3", 8000, 64 * KIB;
    GET_PAYLOAD_V1 = "engine_getPayloadV1", 1000, 64 * MIB;
    GET_PAYLOAD_V2 = "engine_getPayloadV2", 1000, 64 * MIB;
    GET_PAYLOAD_V3 = "engine_getPayloadV3", 1000, 64 * MIB;
    GET_PAYLOAD_V4 = "engine_getPayloadV4", 1000, 64 * MIB;
    GET_PAYLOAD_V5 = "engine_getPayloadV5", 1000, 64 * MIB;
    GET_PAYLOAD_BODIES_BY_HASH_V1 = "engine_getPayloadBodiesByHashV1", 10_000, 64 * MIB;
    GET_PAYLOAD_BODIES_BY_RANGE_V1 = "engine_getPayloadBodiesByRangeV1", 10_000, 64 * MIB;
    GET_BLOBS_V1 = "engine_getBlobsV1", 1000, 64 * MIB;
    GET_BLOBS_V2 = "engine_getBlobsV2", 1000, 64 * MIB;
    EXCHANGE_CAPABILITIES = "engine_exchangeCapabilities", 1000, 64 * KIB;
    GET_CLIENT_VERSION_V1 = "engine_getClientVersionV1", 1000, 64 * KIB;
    ETH_SYNCING = "eth_syncing", 1000, 64 * KIB;
    ETH_CHAIN_ID = "eth_chainId", 1000, 64 * KIB;
    ETH_GET_BLOCK_BY_NUMBER = "eth_getBlockByNumber", 1000, MIB;
    ETH_GET_BLOCK_BY_HASH = "eth_getBlockByHash", 1000, MIB;
    ETH_GET_LOGS = "eth_getLogs", 10_000, 16 * MIB;
}

/// What we tell an engine that we may call: every method of the `engine_` family but the exchange itself.
static SUPPORTED: [&Method; 17] = [
    &NEW_PAYLOAD_V1,
    &NEW_PAYLOAD_V2,
    &NEW_PAYLOAD_V3,
    &NEW_PAYLOAD_V4,
    &FORKCHOICE_UPDATED_V1,
    &FORKCHOICE_UPDATED_V2,
    &FORKCHOICE_UPDATED_V3,
    &GET_PAYLOAD_V1,
    &GET_PAYLOAD_V2,
    &GET_PAYLOAD_V3,
    &GET_PAYLOAD_V4,
    &GET_PAYLOAD_V5,
    &GET_PAYLOAD_BODIES_BY_HASH_V1,
    &GET_PAYLOAD_BODIES_BY_RANGE_V1,
    &GET_BLOBS_V1,
    &GET_BLOBS_V2,
    &GET_CLIENT_VERSION_V1,
];

/// Every method of the `engine_` family that is spoken here but the exchange of capabilities itself.
pub fn supported_methods() -> &'static [&'static Method] {
    &SUPPORTED
}

/// The names of [`supported_methods`], as they are exchanged.
pub fn capabilities() -> Vec<&'static str> {
    SUPPORTED.iter().map(|method| method.name).collect()
}

/// `engine_newPayload` at the fork of the payload; none before Bellatrix.
pub fn new_payload(fork: ForkName) -> Option<&'static Method> {
    match fork {
        ForkName::Phase0 | ForkName::Altair => None,
        ForkName::Bellatrix => Some(&NEW_PAYLOAD_V1),
        ForkName::Capella => Some(&NEW_PAYLOAD_V2),
        ForkName::Deneb => Some(&NEW_PAYLOAD_V3),
        ForkName::Electra | ForkName::Fulu => Some(&NEW_PAYLOAD_V4),
    }
}

/// `engine_forkchoiceUpdated` at the fork of the payload to build, else of the head; none before Bellatrix.
pub fn forkchoice_updated(fork: ForkName) -> Option<&'static Method> {
    match fork {
        ForkName::Phase0 | ForkName::Altair => None,
        ForkName::Bellatrix => Some(&FORKCHOICE_UPDATED_V1),
        ForkName::Capella => Some(&FORKCHOICE_UPDATED_V2),
        ForkName::Deneb | ForkName::Electra | ForkName::Fulu => Some(&FORKCHOICE_UPDATED_V3),
    }
}

/// `engine_getPayload` at the fork of the payload; none before Bellatrix.
pub fn get_payload(fork: ForkName) -> Option<&'static Method> {
    match fork {
        ForkName::Phase0 | ForkName::Altair => None,
        ForkName::Bellatrix => Some(&GET_PAYLOAD_V1),
        ForkName::Capella => Some(&GET_PAYLOAD_V2),
        ForkName::Deneb => Some(&GET_PAYLOAD_V3),
        ForkName::Electra => Some(&GET_PAYLOAD_V4),
        ForkName::Fulu => Some(&GET_PAYLOAD_V5),
    }
}

/// `engine_getBlobs` at the fork of the block; none before Deneb.
pub fn get_blobs(fork: ForkName) -> Option<&'static Method> {
    match fork {
        ForkName::Phase0 | ForkName::Altair | ForkName::Bellatrix | ForkName::Capella => None,
        ForkName::Deneb | ForkName::Electra => Some(&GET_BLOBS_V1),
        ForkName::Fulu => Some(&GET_BLOBS_V2),
    }
}

/// The methods that a chain cannot be followed without up to a fork, and that an engine with these capabilities lacks.
/// Blobs and bodies can be had elsewhere, so that an engine may lack them.
pub fn lacking(offered: &[String], latest: ForkName) -> Vec<&'static str> {
    let mut lacking = Vec::new();
    for fork in ForkName::ALL.into_iter().filter(|fork| *fork <= latest) {
        for method in [new_payload(fork), forkchoice_updated(fork), get_payload(fork)].into_iter().flatten() {
            if !offered.iter().any(|name| name == method.name) && !lacking.contains(&method.name) {
                lacking.push(method.name);
            }
        }
    }
    lacking
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_lacks_what_the_scheduled_forks_need_and_it_does_not_name() {
        let all: Vec<String> = capabilities().into_iter().map(str::to_owned).collect();
        assert_eq!(lacking(&all, ForkName::Fulu), Vec::<&str>::new());
        let without_v5: Vec<String> = all.into_iter().filter(|name| !name.ends_with("V5")).collect();
        assert_eq!(lacking(&without_v5, ForkName::Fulu), ["engine_getPayloadV5"]);
        assert_eq!(lacking(&without_v5, ForkName::Electra), Vec::<&str>::new());
        assert_eq!(lacking(&[], ForkName::Altair), Vec::<&str>::new());
        assert_eq!(lacking(&[], ForkName::Bellatrix).len(), 3);
    }

    #[test]
    fn every_version_is_used_at_the_forks_it_was_made_for() {
        let names = |of: fn(ForkName) -> Option<&'static Method>| {
            let version = |fork| of(fork).map_or("-", |method| &method.name[method.name.len() - 2..]);
            ForkName::ALL.map(version).join(" ")
        };
        assert_eq!(names(new_payload), "- - V1 V2 V3 V4 V4");
        assert_eq!(names(forkchoice_updated), "- - V1 V2 V3 V3 V3");
        assert_eq!(names(get_payload), "- - V1 V2 V3 V4 V5");
        assert_eq!(names(get_blobs), "- - - - V1 V1 V2");
    }
}
