//! BLS.
use crate::case::Case;
pub fn run(_: &Case) -> super::Result { anyhow::bail!("x") }
