//! The [light client](https://github.com/ethereum/consensus-specs/blob/master/specs/altair/light-client/sync-protocol.md):
//! both ends of it, for the forks from Altair to Fulu.
//!
//! ```text
//!   full node                                             light client
//!   blocks, states ──▶ LightClientData ──▶ bootstrap ────▶ initialize_light_client_store ──▶ LightClientStore
//!   head, finality ──▶   (bounded)     ──▶ updates  ─────▶ process_light_client_update ──▶      │
//!                                                                        finalized and optimistic header
//! ```
//!
//! # Forms
//!
//! Data of the protocol have one of four forms: Altair's, Capella's (with the execution payload's header), Deneb's (whose
//! header is larger) and Electra's (with longer branches). On the wire the form is that of the fork at the slot of the
//! attested header. A store has a form too, and takes data of its own form only: see [`upgrade`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod branches;
mod collection;
mod create;
mod header;
mod invalid;
mod process;
mod store;
mod update;
pub mod upgrade;
mod validate;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use branches::{
    CURRENT_SYNC_COMMITTEE_GINDEX, CURRENT_SYNC_COMMITTEE_GINDEX_ELECTRA, EXECUTION_PAYLOAD_GINDEX,
    FINALIZED_ROOT_GINDEX, FINALIZED_ROOT_GINDEX_ELECTRA, NEXT_SYNC_COMMITTEE_GINDEX,
    NEXT_SYNC_COMMITTEE_GINDEX_ELECTRA, current_sync_committee_gindex_at_slot, finalized_root_gindex_at_slot,
    is_valid_normalized_merkle_branch, next_sync_committee_gindex_at_slot, normalize_merkle_branch,
};
pub use collection::{Fresh, LightClientData, Limits};
pub use create::{
    NoData, create_light_client_bootstrap, create_light_client_finality_update,
    create_light_client_optimistic_update, create_light_client_update,
};
pub use header::{block_to_light_client_header, get_lc_execution_root, is_valid_light_client_header};
pub use invalid::Invalid;
pub use process::{
    apply_light_client_update, process_light_client_finality_update, process_light_client_optimistic_update,
    process_light_client_store_force_update, process_light_client_update,
};
pub use store::{
    LightClientStore, get_safety_threshold, initialize_light_client_store, is_next_sync_committee_known,
};
pub use update::{
    compute_sync_committee_period_at_slot, is_better_update, is_finality_update, is_sync_committee_update,
};
pub use validate::validate_light_client_update;
