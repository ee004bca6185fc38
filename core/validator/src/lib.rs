//! The validator's side of the protocol: when to propose, attest, aggregate and vote in the sync committee, what to sign, and what never to sign.
//!
//! ```text
//!   Tick, Head, Answer ──▶ Duties::handle ──▶ poll: Ask(RequestId, …) ──▶ node or signer ──▶ Answer(RequestId, …)
//!                                              └──▶ Done, Missed: one for each duty
//! ```
//!
//! [`Duties`] has no clock and no I/O: the caller brings the time and the answers, and a test plays a day in a blink.
//! The machine asks for one set of attestation data a slot, whatever the number of keys, and hands signatures to be
//! made in one batch, so that slashing protection is one transaction.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod aggregating;
mod attesting;
mod duties;
mod preparing;
mod proposing;
pub mod rules;
mod schedule;
mod selection;
mod signing;
mod sync_committee;
#[cfg(test)]
mod tests;
mod traffic;

pub use duties::{Config, Duties, Genesis};
pub use selection::{compute_subnet_for_attestation, is_aggregator, is_sync_committee_aggregator};
pub use signing::{Domains, Message, SigningRequest};
pub use traffic::{
    Answer, Ask, AttesterDuty, Done, Due, Duty, Input, KeyInfo, Missed, Output, ProposerDuty, RequestId,
    Subscription, SyncDuty, SyncSubscription,
};
