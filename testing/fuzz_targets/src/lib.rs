//! What is done with bytes that nobody vouches for: the bodies of the fuzz targets.
//!
//! Each takes any bytes through the entry that production takes them through, and panics where a rule of ours is broken:
//! a panic below it, a value that is not written as it was read, two readers that disagree. The targets of `fuzz/` call
//! these under libFuzzer; the tests of this package run the kept corpus through the same functions.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod api_request;
mod api_seeds;
mod enr_record;
mod gossip_message;
mod gossip_seeds;
mod keystore;
mod network;
mod reqresp_frames;
mod seeds;
mod ssz_container;
mod stub;
mod surroundings;

pub use api_request::api_request;
pub use enr_record::enr_record;
pub use gossip_message::gossip_message;
pub use keystore::keystore;
pub use reqresp_frames::reqresp_frames;
pub use seeds::seeds;
pub use ssz_container::ssz_container;

/// A target: what it does with bytes.
pub type Target = fn(&[u8]);

/// Every target by name. The names are those of the programs in `fuzz/` and of the folders of the corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("ssz_container", ssz_container),
    ("gossip_message", gossip_message),
    ("reqresp_frames", reqresp_frames),
    ("enr_record", enr_record),
    ("api_request", api_request),
    ("keystore", keystore),
];
