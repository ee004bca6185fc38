//! What each validator's vote for a target weighs, kept for an epoch.

use crate::{Epoch, List, Validator};

/// Weights of all validators in an epoch, found in one pass over a registry.
///
/// The registry is kept as it was then, which takes next to nothing, since states share it: what differs in a later one
/// are whole pages, and so can be told by their places in memory.
#[derive(Clone, Debug)]
pub struct TargetWeights {
    /// The epoch.
    pub epoch: Epoch,
    /// The registry that was read.
    pub registry: List<Validator>,
    /// Effective balance in increments and two bits for who is active when; see the transition, which alone reads them.
    pub weights: Vec<u16>,
}
