//! Inputs to begin with: for each target some that are valid, or nearly.

use ssz::SszExt;
use synthetic::Chain;
use types::{BeaconState, ForkName, SignedBeaconBlock, Spec, with_container};

use crate::api_seeds::api_seeds;
use crate::gossip_message::{SLOT, genesis, keys};
use crate::gossip_seeds::gossip_seeds;
use crate::network::spec_of;
use crate::ssz_container::CONTAINERS;

/// A keystore and a signing history.
const KEYSTORE: &str = r#"{"crypto":{"kdf":{"function":"scrypt","params":{"dklen":32,"n":262144,"p":1,"r":8,"salt":"d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"},"message":""},"checksum":{"function":"sha256","params":{},"message":"d2217fe5f3e9a1e34581ef8a78f7c9928e436d36dacc5e846690a5581e8ea484"},"cipher":{"function":"aes-128-ctr","params":{"iv":"264daa3f303d7259501c93d997d84fe6"},"message":"06ae90d55fe0a6e9c5c3bc5b170827b2e5cce3929ed3f116c2811e6366dfe20f"}},"description":"a test","pubkey":"9612d7a727c9d0a22e185a1c768478dfe919cada9266988cb32359c11f2b7b27f4ae4040902382ae2910c15e2b420d07","path":"m/12381/60/3141592653/589793238","uuid":"1d85ae20-35c5-4611-98e8-aa14a633906f","version":4}"#;
const KEYSTORE_PBKDF2: &str = r#"{"crypto":{"kdf":{"function":"pbkdf2","params":{"dklen":32,"c":262144,"prf":"hmac-sha256","salt":"d4e5"},"message":""},"checksum":{"function":"sha256","params":{},"message":"8a9f5d9912ed7e75ea794bc5a89bca5f193721d30868ade6f73043c6ea6febf1"},"cipher":{"function":"aes-128-ctr","params":{"iv":"264daa3f303d7259501c93d997d84fe6"},"message":"cee03fde2af33149775b7223e7845e4fb2c8ae1792e5f99fe9ecf474cc8c16ad"}},"path":"","uuid":"64625def-3331-4eea-ab6f-782f3ed16a83","version":4}"#;
const HISTORY: &str = r#"{"metadata":{"interchange_format_version":"5","genesis_validators_root":"0x04700007fabc8282644aed6d1c7c9e21d38a03a0c4ba193f3afe428824b3a673"},"data":[{"pubkey":"0x9612d7a727c9d0a22e185a1c768478dfe919cada9266988cb32359c11f2b7b27f4ae4040902382ae2910c15e2b420d07","signed_blocks":[{"slot":"81952","signing_root":"0x4ff6f743a43f3b4f95350831aeaf0a122a1a392922c45d804280284a69eb850b"},{"slot":"81951"}],"signed_attestations":[{"source_epoch":"2290","target_epoch":"3007","signing_root":"0x587d6a4f59a58fe24f406e0502413e77fe1babddee641fda30034ed37ecc884d"},{"source_epoch":"2290","target_epoch":"3008"}]}]}"#;
const RECORD: &str = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8";

/// The inputs of a target, each with a name.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = match target {
        "ssz_container" => containers(),
        "gossip_message" => gossip_seeds(),
        "reqresp_frames" => frames(),
        "enr_record" => records(),
        "api_request" => api_seeds(),
        "keystore" => texts(),
        _ => Vec::new(),
    };
    found.sort();
    found
}

fn all_zero(name: &str, spec: &'static Spec, fork: ForkName) -> Vec<u8> {
    let ctx = spec.ctx(fork);
    if name == "BeaconState" {
        return BeaconState::empty(spec, fork).encoded();
    }
    with_container!(name, T => T::new_default(ctx).to_ssz(ctx), else { Vec::new() })
}

fn containers() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for (place, name) in CONTAINERS.iter().enumerate() {
        for fork in [ForkName::Phase0, ForkName::Bellatrix, ForkName::Fulu] {
            let bytes = all_zero(name, Spec::minimal(), fork);
            // Large ones would make everything slow; the other forks' forms are within reach of one changed byte.
            if bytes.len() < 4096 {
                found.push((
                    format!("{name}-{fork}"),
                    [&[fork as u8, place as u8], bytes.as_slice()].concat(),
                ));
            }
        }
    }
    for fork in ForkName::ALL {
        let block = next_block(fork);
        let bytes = block.to_ssz(spec_of(fork).ctx(fork));
        let place = CONTAINERS.iter().position(|name| *name == "SignedBeaconBlock").unwrap_or_default();
        found.push((format!("block-{fork}"), [&[fork as u8, place as u8], bytes.as_slice()].concat()));
    }
    found
}

/// The first block of a network.
pub fn next_block(fork: ForkName) -> SignedBeaconBlock {
    let mut chain = Chain::new((**genesis(fork)).clone(), keys().clone());
    chain.block_at(SLOT.into()).expect("a synthetic chain makes blocks")
}

fn frames() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for (place, protocol) in network::Protocol::all().enumerate() {
        for length in [0usize, 8, 16, 17, 20, 24, 25, 32, 40, 84, 92] {
            found.push((
                format!("{place}-request-{length}"),
                [&[place as u8, 0][..], &vec![1; length]].concat(),
            ));
        }
        let framed = network::fuzzing::framed(&[2; 100]);
        let context: &[u8] = if protocol.has_context() { &[1, 2, 3, 4] } else { &[] };
        let twice = [&[0], context, &framed, &[0], context, &framed].concat();
        found.push((format!("{place}-answer"), [&[place as u8, 3], twice.as_slice()].concat()));
        let error = [&[1][..], &network::fuzzing::framed(b"no")].concat();
        found.push((format!("{place}-error"), [&[place as u8, 3], error.as_slice()].concat()));
    }
    found
}

fn records() -> Vec<(String, Vec<u8>)> {
    let mut found = vec![("text".to_owned(), [&[0], RECORD.as_bytes()].concat())];
    let fields: [(&str, &[u8]); 10] = [
        ("eth2", &[0x90, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
        ("attnets", &[0x88, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("syncnets", &[5]),
        ("cgc", &[0x81, 0x80]),
        ("nfd", &[0x84, 1, 2, 3, 4]),
        ("ip", &[0x84, 127, 0, 0, 1]),
        ("ip6", &[0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ("tcp", &[0x82, 0x23, 0x28]),
        ("udp", &[0x82, 0x23, 0x28]),
        ("tcp6", &[0x82, 0x23, 0x28]),
    ];
    let mut all = vec![2];
    for (name, value) in fields {
        let one = [&[(name.len() as u8) << 5 | value.len() as u8], name.as_bytes(), value].concat();
        found.push((name.to_owned(), [&[2], one.as_slice()].concat()));
        all.extend(one);
    }
    found.push(("all".to_owned(), all));
    if let Some((record, _)) = network::fuzzing::record_of_text(RECORD) {
        // Lists of RLP begin with their length; the record's text is just that in base64.
        found.push(("rlp".to_owned(), [&[1], rlp(&record).as_slice()].concat()));
    }
    found
}

fn rlp(record: &network::Enr) -> Vec<u8> {
    let mut bytes = Vec::new();
    alloy_rlp::Encodable::encode(record, &mut bytes);
    bytes
}

fn texts() -> Vec<(String, Vec<u8>)> {
    [(0, "scrypt", KEYSTORE), (0, "pbkdf2", KEYSTORE_PBKDF2), (1, "history", HISTORY)]
        .map(|(first, name, text)| (name.to_owned(), [&[first], text.as_bytes()].concat()))
        .to_vec()
}
