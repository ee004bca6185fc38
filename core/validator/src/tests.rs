//! The machine against a node and a signer that a test bends to its will.

mod aggregating;
mod attesting;
mod electra;
mod failing;
mod harness;
mod many_keys;
mod preparing;
mod proposing;
mod refetching;
mod sync_committee;
