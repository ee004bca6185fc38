//! What a person sees while a network runs: a table that is drawn again in place, or, in a file, one line a slot.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

use types::{Epoch, ForkName, Slot};

use crate::{NodeStatus, Participation};

/// A node's row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The node.
    pub name: String,
    /// Its last answer; none while it is killed.
    pub status: Option<Result<NodeStatus, String>>,
    /// The last participation that it knows.
    pub participation: Option<Participation>,
}

/// The network at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// The slot by the clock.
    pub slot: Slot,
    /// Its epoch.
    pub epoch: Epoch,
    /// The epoch's fork.
    pub fork: ForkName,
    /// The nodes.
    pub rows: Vec<Row>,
    /// What else is going on.
    pub note: Option<String>,
}

/// Draws snapshots.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
    drawn: usize,
    last_line: Option<Slot>,
    last: Option<Snapshot>,
}

impl Progress {
    /// For standard output.
    pub fn new() -> Self {
        Self { terminal: std::io::stdout().is_terminal(), drawn: 0, last_line: None, last: None }
    }

    /// Shows a snapshot. A line tells a slot's last snapshot, so it comes when the next slot has begun.
    pub(crate) fn show(&mut self, snapshot: Snapshot) {
        let mut out = std::io::stdout().lock();
        // A closed output is no reason to end a network.
        let _ = if self.terminal {
            let text = self.redraw(&snapshot);
            write!(out, "{text}").and_then(|()| out.flush())
        } else {
            match self.line_of_slot(&snapshot) {
                Some(line) => writeln!(out, "{line}"),
                None => Ok(()),
            }
        };
        self.last = Some(snapshot);
    }

    /// Ends the table, so that what is printed next stands below it.
    pub fn finish(&mut self) {
        if let Some(last) = self.last.take().filter(|_| !self.terminal) {
            println!("{}", line(&last));
        }
        self.drawn = 0;
    }

    fn redraw(&mut self, snapshot: &Snapshot) -> String {
        let lines = table(snapshot);
        let mut text = String::new();
        if self.drawn > 0 {
            write!(text, "\x1b[{}A", self.drawn).expect("a String takes everything");
        }
        for line in &lines {
            writeln!(text, "\x1b[2K{line}").expect("a String takes everything");
        }
        // A shorter table than before leaves lines below it.
        text.push_str("\x1b[J");
        self.drawn = lines.len();
        text
    }

    fn line_of_slot(&mut self, next: &Snapshot) -> Option<String> {
        let last = self.last.as_ref()?;
        if last.slot == next.slot || self.last_line == Some(last.slot) {
            return None;
        }
        self.last_line = Some(last.slot);
        Some(line(last))
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// The first bytes of a root.
pub(crate) fn short(root: &types::Root) -> String {
    root.to_string().chars().take(10).collect()
}

/// The table: a heading, a row a node, and the note.
pub(crate) fn table(snapshot: &Snapshot) -> Vec<String> {
    let width = snapshot.rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max(4);
    let mut lines = vec![
        format!("slot {} (epoch {}, {})", snapshot.slot, snapshot.epoch, snapshot.fork),
        format!(
            "{:width$}  {:>7}  {:10}  {:10}  {:>9}  {:>9}  {:>5}  participation",
            "node", "head", "root", "execution", "justified", "finalized", "peers"
        ),
    ];
    for row in &snapshot.rows {
        let name = &row.name;
        lines.push(match &row.status {
            None => format!("{name:width$}  killed"),
            Some(Err(error)) => format!("{name:width$}  {}", error.lines().next().unwrap_or_default()),
            Some(Ok(status)) => format!(
                "{name:width$}  {:>7}  {:10}  {:10}  {:>9}  {:>9}  {:>5}  {}",
                status.head_slot,
                short(&status.head_root),
                execution(status).unwrap_or("ok"),
                status.justified.epoch,
                status.finalized.epoch,
                status.peers,
                participation(row.participation)
            ),
        });
    }
    lines.extend(snapshot.note.clone());
    lines
}

/// What is wrong with a node's execution layer.
fn execution(status: &NodeStatus) -> Option<&'static str> {
    match (status.is_engine_offline, status.is_optimistic) {
        (true, _) => Some("no engine"),
        (false, true) => Some("optimistic"),
        (false, false) => None,
    }
}

fn participation(known: Option<Participation>) -> String {
    known.map_or("-".to_owned(), |known| format!("{known} (epoch {})", known.epoch))
}

/// One line: nodes with the same head stand together, and numbers that all share stand once.
pub(crate) fn line(snapshot: &Snapshot) -> String {
    let mut text = format!("slot {:>4} epoch {:>3} {}", snapshot.slot, snapshot.epoch, snapshot.fork);
    let mut heads: Vec<(String, Vec<&str>)> = Vec::new();
    let mut absent = Vec::new();
    for row in &snapshot.rows {
        match &row.status {
            None => absent.push(format!("{} killed", row.name)),
            Some(Err(_)) => absent.push(format!("{} silent", row.name)),
            Some(Ok(status)) => {
                if let Some(problem) = execution(status) {
                    absent.push(format!("{} {problem}", row.name));
                }
                let head = format!("{} {}", status.head_slot, short(&status.head_root));
                match heads.iter_mut().find(|(known, _)| *known == head) {
                    Some((_, names)) => names.push(&row.name),
                    None => heads.push((head, vec![&row.name])),
                }
            }
        }
    }
    let all = snapshot.rows.len();
    for (head, names) in &heads {
        let who = if heads.len() == 1 { format!("{} of {all}", names.len()) } else { names.join(" ") };
        write!(text, "  head {head} ({who})").expect("a String takes everything");
    }
    let statuses = || snapshot.rows.iter().filter_map(|row| row.status.as_ref()?.as_ref().ok());
    let numbers = [
        ("justified", shared(statuses().map(|status| status.justified.epoch.0))),
        ("finalized", shared(statuses().map(|status| status.finalized.epoch.0))),
        ("peers", shared(statuses().map(|status| status.peers as u64))),
    ];
    for (name, value) in numbers {
        write!(text, "  {name} {value}").expect("a String takes everything");
    }
    let known = snapshot.rows.iter().filter_map(|row| row.participation);
    // Nodes learn it at slightly different moments: the latest epoch, and in it the lowest figure.
    let latest = known.max_by(|a, b| (a.epoch, b.attesting).cmp(&(b.epoch, a.attesting)));
    write!(text, "  participation {}", participation(latest)).expect("a String takes everything");
    for other in absent.into_iter().chain(snapshot.note.clone()) {
        write!(text, "  {other}").expect("a String takes everything");
    }
    text
}

/// A number that all share, or all of them in the order of the nodes.
fn shared(numbers: impl Iterator<Item = u64>) -> String {
    let mut texts: Vec<String> = numbers.map(|number| number.to_string()).collect();
    if texts.iter().all(|text| *text == texts[0]) {
        texts.truncate(1);
    }
    if texts.is_empty() { "-".to_owned() } else { texts.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Checkpoint, Gwei, Root};

    fn row(name: &str, head: u64, root: u8) -> Row {
        let checkpoint = |epoch| Checkpoint { epoch: Epoch(epoch), root: Root::from([root; 32]) };
        let status = NodeStatus {
            head_slot: Slot(head),
            head_root: Root::from([root; 32]),
            justified: checkpoint(2),
            finalized: checkpoint(1),
            peers: 3,
            is_optimistic: false,
            is_engine_offline: false,
        };
        let participation = Participation { epoch: Epoch(1), attesting: Gwei(63), active: Gwei(64) };
        Row { name: name.into(), status: Some(Ok(status)), participation: Some(participation) }
    }

    fn snapshot(rows: Vec<Row>) -> Snapshot {
        Snapshot { slot: Slot(30), epoch: Epoch(3), fork: ForkName::Capella, rows, note: None }
    }

    #[test]
    fn nodes_that_agree_share_a_line() {
        let line = line(&snapshot(vec![row("node-0", 30, 0xab), row("node-1", 30, 0xab)]));
        assert_eq!(
            line,
            "slot   30 epoch   3 capella  head 30 0xabababab (2 of 2)  justified 2  finalized 1  peers 3  \
             participation 98.4 % (epoch 1)"
        );
    }

    #[test]
    fn nodes_that_differ_are_named() {
        let mut rows = vec![row("node-0", 30, 0xab), row("node-1", 29, 0xcd), row("node-2", 30, 0xab)];
        rows.push(Row { name: "node-3".into(), status: None, participation: None });
        rows.push(Row {
            name: "node-4".into(),
            status: Some(Err("cannot connect".into())),
            participation: None,
        });
        if let Some(Ok(status)) = &mut rows[1].status {
            status.finalized.epoch = Epoch(0);
            status.is_optimistic = true;
        }
        let line = line(&snapshot(rows));
        assert!(line.contains("head 30 0xabababab (node-0 node-2)  head 29 0xcdcdcdcd (node-1)"), "{line}");
        assert!(line.contains("finalized 1/0/1"), "{line}");
        assert!(line.ends_with("  node-1 optimistic  node-3 killed  node-4 silent"), "{line}");
    }

    #[test]
    fn the_table_has_a_row_a_node() {
        let mut rows = vec![row("node-0", 30, 0xab), row("lodestar", 30, 0xab)];
        rows.push(Row { name: "node-2".into(), status: None, participation: None });
        let mut snapshot = snapshot(rows);
        snapshot.note = Some("drill 1 of 2: node-2 is killed".into());
        let lines = table(&snapshot);
        assert_eq!(lines[0], "slot 30 (epoch 3, capella)");
        assert_eq!(
            lines[1],
            "node         head  root        execution   justified  finalized  peers  participation"
        );
        assert_eq!(
            lines[2],
            "node-0         30  0xabababab  ok                  2          1      3  98.4 % (epoch 1)"
        );
        assert_eq!(lines[4], "node-2    killed");
        assert_eq!(lines[5], "drill 1 of 2: node-2 is killed");
    }

    #[test]
    fn a_terminal_is_drawn_over_and_a_file_gets_one_line_a_slot() {
        let mut progress = Progress { terminal: true, drawn: 0, last_line: None, last: None };
        let now = snapshot(vec![row("node-0", 30, 0xab)]);
        assert!(!progress.redraw(&now).contains("\x1b[3A"));
        assert!(progress.redraw(&now).starts_with("\x1b[3A\x1b[2Kslot 30"));

        progress.last = Some(now.clone());
        assert_eq!(progress.line_of_slot(&now), None, "the slot is not over");
        let next = Snapshot { slot: Slot(31), ..now };
        assert!(progress.line_of_slot(&next).unwrap().starts_with("slot   30"));
        assert_eq!(progress.line_of_slot(&next), None, "a slot is told once");
    }

    #[test]
    fn nobody_is_a_dash() {
        let line = line(&snapshot(Vec::new()));
        assert!(line.ends_with("justified -  finalized -  peers -  participation -"), "{line}");
    }
}
