//! What the tests share: a small beacon node, an old one, and a client that runs beside them.

// Each test file uses a part of this.
#![allow(dead_code, unused_imports)]

pub mod backend;
pub mod chain;
pub mod old_node;
pub mod running;
pub mod sync;

pub use chain::MiniChain;
pub use old_node::OldNode;
pub use running::{Node, RunningClient, config, eventually, signed_lines};
