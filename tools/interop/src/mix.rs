//! The mixes: which client runs which part.

use std::ops::Range;
use std::str::FromStr;

use anyhow::bail;
use types::{Epoch, ForkName};

/// Which program a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Ours.
    Interlock,
    /// The foreign one.
    Lodestar,
}

impl Client {
    /// Its name in reports and of log files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interlock => "interlock",
            Self::Lodestar => "lodestar",
        }
    }
}

/// A way to put the two clients together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// Lodestar alone: where this fails, the harness or the machine is at fault and not Interlock.
    LodestarAlone,
    /// Lodestar nodes follow an Interlock network: one from genesis, one that joins late.
    LodestarFollows,
    /// Interlock nodes follow a Lodestar network: one from genesis, one that joins late.
    InterlockFollows,
    /// Each client has a node and half of the validators.
    Halves,
    /// Lodestar's validator client works with an Interlock node.
    LodestarValidates,
    /// Interlock's validator client works with a Lodestar node.
    InterlockValidates,
    /// [`Mix::Halves`] from phase 0 through Altair, the merge and Capella.
    HalvesThroughForks,
    /// [`Mix::LodestarValidates`] from phase 0 through Altair, the merge and Capella.
    LodestarValidatesThroughForks,
}

/// A validator client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorPlan {
    /// The program.
    pub client: Client,
    /// The node it works with, by its place in [`Plan::nodes`].
    pub node: usize,
    /// Its interop validators.
    pub range: Range<u64>,
}

/// What a mix consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Nodes there from genesis; the first is the boot node of the others.
    pub nodes: Vec<Client>,
    /// Validator clients there from genesis.
    pub validators: Vec<ValidatorPlan>,
    /// A node that joins when the chain has finalized [`Plan::LATE_FINALIZED`].
    pub late: Option<Client>,
}

impl Plan {
    /// The finalized epoch at which the late node joins: what it has to fetch by range is then both finalized and
    /// not yet finalized history.
    pub const LATE_FINALIZED: u64 = 2;
}

impl Mix {
    /// All mixes with Interlock in them.
    pub const ALL: [Self; 7] = [
        Self::LodestarFollows,
        Self::InterlockFollows,
        Self::Halves,
        Self::LodestarValidates,
        Self::InterlockValidates,
        Self::HalvesThroughForks,
        Self::LodestarValidatesThroughForks,
    ];

    /// Its letter on the command line.
    pub fn letter(self) -> char {
        match self {
            Self::LodestarAlone => '0',
            Self::LodestarFollows => 'a',
            Self::InterlockFollows => 'b',
            Self::Halves => 'c',
            Self::LodestarValidates => 'd',
            Self::InterlockValidates => 'e',
            Self::HalvesThroughForks => 'f',
            Self::LodestarValidatesThroughForks => 'g',
        }
    }

    /// What it shows, in a few words.
    pub fn shows(self) -> &'static str {
        match self {
            Self::LodestarAlone => "Lodestar alone, to judge the harness",
            Self::LodestarFollows => "Lodestar follows Interlock, from genesis and late",
            Self::InterlockFollows => "Interlock follows Lodestar, from genesis and late",
            Self::Halves => "half of the validators on each client",
            Self::LodestarValidates => "Lodestar validators on an Interlock node",
            Self::InterlockValidates => "Interlock validators on a Lodestar node",
            Self::HalvesThroughForks => {
                "half of the validators on each client, through Altair, merge, Capella"
            }
            Self::LodestarValidatesThroughForks => {
                "Lodestar validators on an Interlock node, through Altair, merge, Capella"
            }
        }
    }

    /// When its network is upgraded, in order; never where it stays in phase 0.
    pub fn upgrades(self) -> &'static [(ForkName, Epoch)] {
        const UPGRADES: [(ForkName, Epoch); 3] =
            [(ForkName::Altair, Epoch(2)), (ForkName::Bellatrix, Epoch(4)), (ForkName::Capella, Epoch(6))];
        match self {
            Self::HalvesThroughForks | Self::LodestarValidatesThroughForks => &UPGRADES,
            _ => &[],
        }
    }

    /// The epoch that its network has to finalize at least: one in the last fork, after the one that begins it.
    pub fn goal(self) -> Epoch {
        self.upgrades().last().map_or(Epoch(0), |(_, epoch)| *epoch + 1)
    }

    /// Its parts, with this many validators.
    pub fn plan(self, validators: u64) -> Plan {
        use Client::{Interlock, Lodestar};
        let half = validators / 2;
        let validator = |client, node, range| ValidatorPlan { client, node, range };
        let halves =
            |first, second| vec![validator(first, 0, 0..half), validator(second, 1, half..validators)];
        let all = |client| vec![validator(client, 0, 0..validators)];
        match self {
            Self::LodestarAlone => {
                Plan { nodes: vec![Lodestar, Lodestar], validators: halves(Lodestar, Lodestar), late: None }
            }
            Self::LodestarFollows => Plan {
                nodes: vec![Interlock, Interlock, Lodestar],
                validators: halves(Interlock, Interlock),
                late: Some(Lodestar),
            },
            Self::InterlockFollows => Plan {
                nodes: vec![Lodestar, Lodestar, Interlock],
                validators: halves(Lodestar, Lodestar),
                late: Some(Interlock),
            },
            Self::Halves | Self::HalvesThroughForks => {
                Plan { nodes: vec![Interlock, Lodestar], validators: halves(Interlock, Lodestar), late: None }
            }
            Self::LodestarValidates | Self::LodestarValidatesThroughForks => {
                Plan { nodes: vec![Interlock, Interlock], validators: all(Lodestar), late: None }
            }
            Self::InterlockValidates => {
                Plan { nodes: vec![Lodestar, Lodestar], validators: all(Interlock), late: None }
            }
        }
    }
}

impl FromStr for Mix {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Self::ALL
            .into_iter()
            .chain([Self::LodestarAlone])
            .find(|mix| mix.letter().to_string() == text.trim())
        {
            Some(mix) => Ok(mix),
            None => bail!("no mix {text:?}; there are a to g, and 0 without Interlock"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mix_has_both_clients_and_each_validator_once() {
        for mix in Mix::ALL {
            let plan = mix.plan(64);
            let mut clients: Vec<Client> = plan.nodes.clone();
            clients.extend(plan.validators.iter().map(|part| part.client));
            for client in [Client::Interlock, Client::Lodestar] {
                assert!(clients.contains(&client), "{mix:?} is without {client:?}");
            }
            let mut indices: Vec<u64> = plan.validators.iter().flat_map(|part| part.range.clone()).collect();
            indices.sort_unstable();
            assert_eq!(indices, (0..64).collect::<Vec<_>>(), "{mix:?}");
            assert!(plan.validators.iter().all(|part| part.node < plan.nodes.len()));
        }
    }

    #[test]
    fn mixes_are_named_by_their_letters() {
        for mix in Mix::ALL {
            assert_eq!(mix.letter().to_string().parse::<Mix>().unwrap(), mix);
        }
        assert_eq!(
            "h".parse::<Mix>().unwrap_err().to_string(),
            "no mix \"h\"; there are a to g, and 0 without Interlock"
        );
    }
}
