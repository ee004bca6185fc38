//! The rules that the whole repository keeps, read from its files.
//!
//! ```text
//!   Repository::read ─▶ files ─┬─▶ sizes, names, purity, structure,   (Rust, parsed)
//!                              │   modules
//!                              ├─▶ packages                          (Cargo.toml)
//!                              ├─▶ prose                             (every text file)
//!                              └─▶ documents, commands               (README, ARCHITECTURE, .ci/run against the code)
//! ```
//!
//! Each rule is a function from files to [`Violation`]s; `tests/rules.rs` runs it over the repository, and the tests
//! beside a rule show that it finds what it forbids. A rule that can be a compiler or clippy lint is one there
//! (`Cargo.toml`, `clippy.toml`) and not here.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod commands;
pub mod documents;
pub mod modules;
pub mod names;
pub mod packages;
pub mod prose;
pub mod purity;
mod repository;
pub mod sizes;
pub mod structure;
mod tokens;
mod violation;

pub use repository::{Repository, SourceFile};
pub use violation::{Violation, assert_none};
