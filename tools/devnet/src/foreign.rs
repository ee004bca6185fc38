//! Processes of other clients that take part in a network.

use std::ops::Range;
use std::path::PathBuf;

use api::Client;
use futures::future::BoxFuture;
use types::Spec;

use crate::{NetworkFolder, NodePorts, ProcessPlan};

/// What a foreign process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignRole {
    /// A beacon node without validators.
    BeaconNode,
    /// A beacon node that a validator client of ours gets a share of the validators for.
    BeaconNodeWithOurValidators,
    /// A validator client with a share of the validators, for one of our beacon nodes.
    ValidatorClient,
}

/// The place that a network gives to a foreign process.
#[derive(Clone, Debug)]
pub struct ForeignSeat {
    /// Its name within the network, which is also that of its process.
    pub name: String,
    /// The network's folder, complete.
    pub network: NetworkFolder,
    /// The network's rules.
    pub spec: &'static Spec,
    /// Genesis, in Unix seconds.
    pub genesis_time: u64,
    /// How many interop validators the genesis has.
    pub genesis_validators: u64,
    /// A folder of its own, which exists.
    pub dir: PathBuf,
    /// Ports of its own. A beacon node must answer the Beacon API at `http` on loopback.
    pub ports: NodePorts,
    /// The records to start discovery from.
    pub bootnodes: Vec<String>,
    /// The Beacon APIs of our nodes. A validator client uses the one at [`ForeignSeat::beacon_url`].
    pub beacon_urls: Vec<String>,
    /// Which of our nodes a validator client works for.
    pub beacon: usize,
    /// The interop validators that it signs for; empty for a beacon node.
    pub validators: Range<u64>,
}

impl ForeignSeat {
    /// The Beacon API that a validator client works for.
    pub fn beacon_url(&self) -> &str {
        &self.beacon_urls[self.beacon]
    }
}

/// A client that joins a network. Whoever knows the client implements it; the network starts it, watches it, and
/// expects of its beacon nodes what it expects of its own.
pub trait Foreign {
    /// A short name, unique in the network.
    fn name(&self) -> String;

    /// What it is.
    fn role(&self) -> ForeignRole;

    /// The process to start. Its name and its log are the seat's: `seat.name` and a file in `seat.dir`.
    fn process(&self, seat: &ForeignSeat) -> anyhow::Result<ProcessPlan>;

    /// Called when a beacon node's API answers (for a validator client: after it was started), for what must be done
    /// then, such as telling it a peer. Does nothing by default.
    fn started<'a>(&'a self, seat: &'a ForeignSeat, api: &'a Client) -> BoxFuture<'a, anyhow::Result<()>> {
        let _ = (seat, api);
        Box::pin(async { Ok(()) })
    }
}
