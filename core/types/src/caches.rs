//! Values derived from a state's fields, remembered so that they are computed once.

/// Lazy cells of a state.
#[derive(Clone, Debug, Default)]
pub struct StateCaches {}
