//! SSZ values seen through their schema: bytes are walked, printed, compared and proven without being decoded into
//! Rust types.
//!
//! ```text
//!   file ──▶ container (plain, snappy, e2store, JSON, YAML) ──▶ bytes + Schema ──▶ Value ─┬─▶ pretty, JSON, YAML
//!                                                                                        ├─▶ query, tree
//!                                                                                        ├─▶ diff
//!                                                                                        └─▶ root, proof
//! ```
//!
//! A [`Value`] is a schema and the bytes that were checked against it. Everything else borrows from it, so that a
//! state of 150 MB needs little more memory than its bytes. The code here shares nothing with the typed decoder and
//! hasher but the schema and SHA-256, so each checks the other.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod check;
mod diff;
mod file;
mod guess;
mod path;
mod pretty;
mod proof;
mod schema_text;
mod select;
mod text;
mod tree;
mod value;

pub use check::Malformed;
pub use diff::{Change, Difference, diff};
pub use file::{Entry, Format, OpenError, Opened, Store, open, open_first};
pub use guess::{Guess, guess, schema_by_name};
pub use path::{Path, PathError, Step};
pub use pretty::{PrettyOptions, write_pretty};
pub use proof::{Proof, ProofError, prove, verify};
pub use schema_text::{type_name, write_schema};
pub use select::{Selected, select};
pub use text::{write_json, write_yaml, yaml_to_json};
pub use tree::{Tree, generalized_index};
pub use value::{Leaf, Value};
