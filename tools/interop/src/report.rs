//! The table at the end.

use std::fmt::Write;

use crate::mix::Mix;

/// How a mix went.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The highest epoch that all nodes have finalized.
    pub finalized: Option<u64>,
    /// Epochs from the one in which the last foreign part joined to the finalized one.
    pub after_joining: Option<u64>,
    /// Blocks that all nodes agree on, and the number of nodes.
    pub agreement: Option<(u64, usize)>,
    /// The part of all due votes that the chain took.
    pub participation: Option<f64>,
    /// The same by client, and the blocks that its validators proposed: name, part, blocks.
    pub by_client: Vec<(&'static str, f64, u64)>,
    /// Why it failed; none where it did not.
    pub failure: Option<String>,
    /// From start to end.
    pub seconds: u64,
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn row(mix: Mix, outcome: &Outcome) -> [String; 8] {
    let by_client = outcome.by_client.iter();
    let by_client: Vec<String> = by_client
        .map(|(client, share, blocks)| format!("{client} {}, {blocks} blocks", percent(*share)))
        .collect();
    let participation = match outcome.participation {
        Some(share) if by_client.is_empty() => percent(share),
        Some(share) => format!("{} ({})", percent(share), by_client.join("; ")),
        None => "-".to_owned(),
    };
    [
        mix.letter().to_string(),
        mix.shows().to_owned(),
        or_dash(outcome.finalized),
        or_dash(outcome.after_joining),
        outcome.agreement.map_or("-".to_owned(), |(blocks, nodes)| format!("{blocks} blocks, {nodes} nodes")),
        participation,
        if outcome.failure.is_none() { "passed" } else { "FAILED" }.to_owned(),
        outcome.seconds.to_string(),
    ]
}

/// The outcomes as a table for a terminal, and after it why what failed has failed.
pub fn table(outcomes: &[(Mix, Outcome)]) -> String {
    let head =
        ["mix", "shows", "finalized", "after joining", "same history", "votes taken", "result", "seconds"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(outcomes.iter().map(|(mix, outcome)| row(*mix, outcome)));
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    for (mix, outcome) in outcomes {
        if let Some(failure) = &outcome.failure {
            let _ = writeln!(text, "\n{}: {failure}", mix.letter());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lines_up_and_tells_why_a_mix_failed() {
        let good = Outcome {
            finalized: Some(7),
            after_joining: Some(3),
            agreement: Some((55, 4)),
            participation: Some(0.987),
            by_client: vec![("interlock", 1.0, 28), ("lodestar", 0.974, 27)],
            failure: None,
            seconds: 201,
        };
        let bad = Outcome { failure: Some("no peer".to_owned()), seconds: 9, ..Outcome::default() };
        let text = table(&[(Mix::Halves, good), (Mix::LodestarValidates, bad)]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[1].contains("98.7 % (interlock 100.0 %, 28 blocks; lodestar 97.4 %, 27 blocks)"),
            "{text}"
        );
        assert_eq!(lines[0].find("result"), lines[1].find("passed"));
        assert_eq!(lines[0].find("result"), lines[2].find("FAILED"));
        assert_eq!(lines.last(), Some(&"d: no peer"));
    }
}
