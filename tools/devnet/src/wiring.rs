//! Who dials whom where a network shall be divided: everybody is told, and discovery has nobody to begin with.
//!
//! ```text
//!   side A                                  side B
//!   node-2 ──▶ node-0 ◀──────[relay]─────── node-1       each of our nodes dials those of ours before it,
//!     │          │                            │          and every foreign one
//!     └──[relay]─┴──▶ lodestar-0 ◀──[relay]───┤
//!                     lodestar-1 ◀──[relay]───┘
//! ```
//!
//! Between the sides there is a relay on every way, and all of them have one gate. Our nodes dial a lost static peer again
//! by themselves, which not every client does, so that foreign ones only have to be reachable. To them there is a relay
//! also on their own side, which opens when they say that they are ready: Lodestar takes connections before its gossip
//! has started, and never gossips on those.

use std::collections::BTreeMap;

use anyhow::ensure;

use crate::relay::{Gate, Relays};
use crate::{NodePorts, Ports};

/// The ports of all nodes, what each of ours dials, and the relays between the sides.
#[derive(Debug)]
pub(crate) struct Wiring {
    /// By the names of nodes, ours and foreign ones.
    pub ports: BTreeMap<String, NodePorts>,
    /// By the names of our nodes, the TCP ports that they dial.
    pub dials: BTreeMap<String, Vec<u16>>,
    /// Between the sides.
    pub between: Gate,
    /// To each foreign node; closed until it is ready.
    pub ready: BTreeMap<String, Gate>,
    /// All relays, which run as long as this.
    _relays: Relays,
}

impl Wiring {
    /// Gives ports to all nodes, and starts a relay for each pair across the sides. The sides name every node once.
    pub async fn lay(
        ours: &[String],
        foreign: &[String],
        sides: &[Vec<String>; 2],
        free: &mut Ports,
    ) -> anyhow::Result<Self> {
        check_sides(sides, ours, foreign)?;
        let mut ports = BTreeMap::new();
        for name in ours.iter().chain(foreign) {
            ports.insert(name.clone(), free.node()?);
        }
        let (between, mut relays, mut dials) = (Gate::opened(), Relays::default(), BTreeMap::new());
        let ready: BTreeMap<String, Gate> =
            foreign.iter().map(|name| (name.clone(), Gate::closed())).collect();
        for (place, name) in ours.iter().enumerate() {
            for other in ours[..place].iter().chain(foreign) {
                let mut port = ports[other].tcp;
                let crosses = sides[0].contains(name) != sides[0].contains(other);
                let gates: Vec<&Gate> =
                    crosses.then_some(&between).into_iter().chain(ready.get(other)).collect();
                if !gates.is_empty() {
                    let relay = free.free()?;
                    relays.add(relay, port, &gates).await?;
                    port = relay;
                }
                dials.entry(name.clone()).or_insert_with(Vec::new).push(port);
            }
        }
        Ok(Self { ports, dials, between, ready, _relays: relays })
    }

    /// The addresses that a node of ours dials.
    pub fn dials_of(&self, name: &str) -> impl Iterator<Item = String> + '_ {
        let ports = self.dials.get(name).into_iter().flatten();
        ports.map(|port| format!("/ip4/127.0.0.1/tcp/{port}"))
    }
}

/// Refuses sides that leave out a node, name one twice or one that is not there, or are empty.
pub(crate) fn check_sides(
    sides: &[Vec<String>; 2],
    ours: &[String],
    foreign: &[String],
) -> anyhow::Result<()> {
    let all: Vec<&String> = ours.iter().chain(foreign).collect();
    let names = || all.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    for name in sides.iter().flatten() {
        ensure!(all.contains(&name), "there is no node {name:?} to take a side; there are {}", names());
    }
    for name in &all {
        let count = sides.iter().flatten().filter(|other| other == name).count();
        ensure!(count == 1, "{name} must be on one side, and is on {count}");
    }
    for side in sides {
        ensure!(
            side.iter().any(|name| ours.contains(name)),
            "a side needs a node of ours, which dials the others; {:?} has none",
            side.join(",")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn every_pair_with_a_node_of_ours_is_wired_once_and_relays_are_where_sides_meet() {
        let (ours, foreign) = (names("node-0 node-1 node-2"), names("lodestar-0 lodestar-1"));
        let sides = [names("node-0 node-2 lodestar-0"), names("node-1 lodestar-1")];
        let wiring = Wiring::lay(&ours, &foreign, &sides, &mut Ports::anywhere().unwrap()).await.unwrap();
        let tcp = |name: &str| wiring.ports[name].tcp;
        let direct = |name: &str| -> Vec<&str> {
            let to = |other: &&str| wiring.dials[name].contains(&tcp(other));
            ["node-0", "node-1", "node-2", "lodestar-0", "lodestar-1"].into_iter().filter(to).collect()
        };
        assert_eq!(wiring.dials.values().map(Vec::len).sum::<usize>(), 3 + 3 * 2);
        assert!(direct("node-0").is_empty() && direct("node-1").is_empty());
        assert_eq!(direct("node-2"), ["node-0"]);
        assert_eq!(wiring.ready.keys().collect::<Vec<_>>(), ["lodestar-0", "lodestar-1"]);
        assert_eq!(wiring.dials_of("node-2").count(), 4);
        assert!(wiring.dials_of("node-2").all(|address| address.starts_with("/ip4/127.0.0.1/tcp/")));
    }

    #[test]
    fn sides_that_are_no_division_are_refused() {
        let (ours, foreign) = (names("node-0 node-1"), names("lodestar-0"));
        let refusal = |one: &str, other: &str| {
            let sides = [names(one), names(other)];
            check_sides(&sides, &ours, &foreign).map_or_else(|error| error.to_string(), |()| String::new())
        };
        assert_eq!(refusal("node-0", "node-1 lodestar-0"), "");
        assert!(refusal("node-0 node-7", "node-1 lodestar-0").contains("no node \"node-7\""));
        assert!(refusal("node-0", "node-1").contains("lodestar-0 must be on one side, and is on 0"));
        assert!(refusal("node-0 node-1", "node-1 lodestar-0").contains("is on 2"));
        assert!(refusal("node-0 node-1", "lodestar-0").contains("needs a node of ours"));
        assert!(refusal("node-0 node-1 lodestar-0", "").contains("needs a node of ours"));
    }
}
