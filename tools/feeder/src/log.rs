//! What the node's log says of its imports.

use std::path::Path;

/// How long an import took and where the time went, in milliseconds, as the node tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Import {
    /// The block's slot.
    pub slot: u64,
    /// From the arrival to the view that readers see.
    pub total: f64,
    /// Rules, the proposer's signature, and what else came before the execution.
    pub checks: f64,
    /// The wait for a worker.
    pub waited: f64,
    /// Signatures.
    pub signatures: f64,
    /// The state transition and its root.
    pub transition: f64,
    /// The part of both in which others had the cores.
    pub stalled: f64,
    /// What came after the execution.
    pub head: f64,
    /// True where the block became the head with it.
    pub is_head: bool,
}

/// The imports of a log, and the lines at error level.
pub fn read(path: &Path) -> anyhow::Result<(Vec<Import>, Vec<String>)> {
    let text = std::fs::read_to_string(path)?;
    let errors = text.lines().filter(|line| line.contains(" ERROR ")).map(str::to_owned).collect();
    Ok((text.lines().filter_map(import).collect(), errors))
}

fn import(line: &str) -> Option<Import> {
    let (_, fields) = line.split_once(" imported ")?;
    let field = |name: &str| {
        let of = |word: &'_ str| word.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        fields.split_whitespace().find_map(of)
    };
    let ms = |name| field(name)?.parse().ok();
    Some(Import {
        slot: field("slot")?.parse().ok()?,
        total: ms("ms")?,
        checks: ms("checks")?,
        waited: ms("waited")?,
        signatures: ms("signatures")?,
        transition: ms("transition")?,
        stalled: ms("stalled")?,
        head: ms("head")?,
        is_head: field("is_head")? == "true",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_among_other_lines() {
        let line = "2026-01-01T00:00:00.000000Z  INFO imported slot=33 ms=83.1 checks=2.5 waited=0.0 \
                    signatures=40.0 transition=39.5 stalled=3.5 head=1.1 is_head=true";
        let import = import(line).unwrap();
        assert_eq!((import.slot, import.total, import.head, import.is_head), (33, 83.1, 1.1, true));
        assert_eq!(import.stalled, 3.5);
        assert_eq!(super::import("2026-01-01T00:00:00Z  INFO slot slot=33 epoch=1"), None);
        assert_eq!(super::import("INFO imported slot=33 ms=x"), None);
    }
}
