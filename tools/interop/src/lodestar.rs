//! How Lodestar 1.5.1 is started. Why each flag is there stands in the README beside this crate.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use api::Client;
use devnet::{Foreign, ForeignRole, ForeignSeat, ProcessPlan};
use futures::future::BoxFuture;
use serde_json::Value;

use crate::engine::Engine;
use crate::install::Peer;

/// A Lodestar process that joins an Interlock network.
///
/// Its slots are whole seconds, and the network's preset must be one that it knows (minimal or mainnet).
#[derive(Clone, Debug)]
pub struct Lodestar {
    /// The folder that it is installed in.
    pub installation: PathBuf,
    /// What it does.
    pub role: ForeignRole,
    /// Tells processes of one network apart.
    pub number: usize,
}

impl Foreign for Lodestar {
    fn name(&self) -> String {
        let kind = if self.role == ForeignRole::ValidatorClient { "lodestar-validator" } else { "lodestar" };
        format!("{kind}-{}", self.number)
    }

    fn role(&self) -> ForeignRole {
        self.role
    }

    fn process(&self, seat: &ForeignSeat) -> anyhow::Result<ProcessPlan> {
        let slot_ms = seat.spec.config.slot_duration_ms;
        ensure!(
            slot_ms.is_multiple_of(1000),
            "Lodestar 1.5.1 knows slots of whole seconds only, not {slot_ms} ms"
        );
        let program = Peer::Lodestar.program(&self.installation);
        ensure!(
            program.is_file(),
            "there is no {}; `interlock interop install` installs Lodestar",
            program.display()
        );
        Ok(match self.role {
            ForeignRole::ValidatorClient => validator(&program, seat),
            ForeignRole::BeaconNode | ForeignRole::BeaconNodeWithOurValidators => {
                beacon(&program, seat, None)
            }
        })
    }

    /// Tells a node one peer. Through a boot node alone it finds somebody too, but only after minutes: its record is
    /// first told without the fork, and it searches twice a minute.
    fn started<'a>(&'a self, seat: &'a ForeignSeat, api: &'a Client) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async move {
            let (Some(url), false) = (seat.beacon_urls.first(), self.role == ForeignRole::ValidatorClient)
            else {
                return Ok(());
            };
            let identity = Client::new(url).identity().await?;
            if let Some(path) = connect_path(&identity) {
                // Where the dial fails, discovery is what remains, and the network's own watch tells the outcome.
                let _ = api.post(&path, &Value::Null).await;
            }
            Ok(())
        })
    }
}

/// The request that makes Lodestar dial the node with this identity; none where it has no address.
fn connect_path(identity: &Value) -> Option<String> {
    let peer = identity["peer_id"].as_str()?;
    let address = identity["p2p_addresses"].get(0)?.as_str()?;
    let address = address.split("/p2p/").next().unwrap_or_default();
    Some(format!("/eth/v1/lodestar/connect_peer?peerId={peer}&multiaddr={address}"))
}

/// What both of its processes need. The preset is chosen by the environment alone, all else by files and flags.
fn base(program: &Path, kind: &str, seat: &ForeignSeat) -> ProcessPlan {
    let mut process = ProcessPlan::new(&seat.name, program, seat.dir.join("log.txt"));
    let preset = seat.spec.config.preset_base.as_str();
    for (name, value) in [("LODESTAR_PRESET", preset), ("SKIP_FETCH_NETWORK_BOOTNODES", "1")] {
        process.environment.push((name.to_owned(), value.to_owned()));
    }
    // `dev` is the one network name for which it looks for no genesis state on the internet.
    process
        .arg(kind)
        .option("--network", "dev")
        .path("--paramsFile", &seat.network.config())
        // A file may say the slot in milliseconds, which it does not know; this counts more than the file.
        .option("--params.SECONDS_PER_SLOT", seat.spec.config.slot_duration_ms / 1000)
        .path("--dataDir", &seat.dir)
        .option("--logFile", "none")
}

/// A beacon node, with its engine where the network has any. Without a boot node it is the network's first, which waits
/// for nobody.
pub fn beacon(program: &Path, seat: &ForeignSeat, engine: Option<&Engine>) -> ProcessPlan {
    let process = base(program, "beacon", seat)
        .path("--genesisStateFile", &seat.network.genesis())
        .option("--listenAddress", "127.0.0.1")
        .option("--port", seat.ports.tcp)
        .option("--discoveryPort", seat.ports.udp)
        .option("--enr.ip", "127.0.0.1")
        .option("--enr.tcp", seat.ports.tcp)
        .option("--enr.udp", seat.ports.udp)
        .option("--rest", "true")
        .option("--rest.address", "127.0.0.1")
        .option("--rest.port", seat.ports.http)
        .option("--rest.namespace", "*")
        .option("--subscribeAllSubnets", "true")
        .option("--network.allowPublishToZeroPeers", "true");
    // It looks for the terminal block where it would follow deposits, which it is told not to.
    let process = match engine {
        None => process.option("--eth1", "false"),
        Some(engine) => process
            .option("--eth1", "true")
            .option("--eth1.providerUrls", &engine.rpc_url)
            .option("--eth1.disableEth1DepositDataTracker", "true")
            .option("--execution.urls", &engine.url)
            .path("--jwt-secret", &engine.secret),
    };
    if seat.bootnodes.is_empty() {
        return process.option("--sync.isSingleNode", "true");
    }
    process
        .option("--bootnodes", seat.bootnodes.join(","))
        .option("--network.connectToDiscv5Bootnodes", "true")
}

/// A validator client; its range includes the upper bound.
pub fn validator(program: &Path, seat: &ForeignSeat) -> ProcessPlan {
    base(program, "validator", seat).option("--beaconNodes", seat.beacon_url()).option(
        "--interopIndexes",
        format!("{}..{}", seat.validators.start, seat.validators.end.saturating_sub(1)),
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::network::Network;

    fn seat(dir: &Path, bootnodes: Vec<String>) -> ForeignSeat {
        let network = Network::write(&dir.join("network"), 2, 64, 1_700_000_000, &[]).unwrap();
        let mut ports = devnet::Ports::anywhere().unwrap();
        let mut seat = network.seat("one", dir.join("one"), ports.node().unwrap());
        seat.bootnodes = bootnodes;
        seat.beacon_urls = vec!["http://127.0.0.1:5052".to_owned()];
        seat.validators = 32..64;
        seat
    }

    #[test]
    fn only_the_first_node_of_a_network_counts_as_synced_alone() {
        let dir = tempfile::tempdir().unwrap();
        let alone = beacon(Path::new("lodestar"), &seat(dir.path(), Vec::new()), None).arguments;
        assert!(alone.contains(&"--sync.isSingleNode".to_owned()));
        let second =
            beacon(Path::new("lodestar"), &seat(dir.path(), vec!["enr:-a".to_owned()]), None).arguments;
        assert!(!second.contains(&"--sync.isSingleNode".to_owned()));
        assert!(second.windows(2).any(|pair| pair == ["--bootnodes", "enr:-a"]));
    }

    #[test]
    fn a_range_of_validators_is_given_with_its_last_one() {
        let dir = tempfile::tempdir().unwrap();
        let plan = validator(Path::new("lodestar"), &seat(dir.path(), Vec::new()));
        assert!(plan.arguments.windows(2).any(|pair| pair == ["--interopIndexes", "32..63"]));
    }

    #[test]
    fn a_peer_is_told_by_its_id_and_its_address_without_it() {
        let identity = serde_json::json!({
            "peer_id": "16Uiu2HAm1", "p2p_addresses": ["/ip4/127.0.0.1/tcp/9000/p2p/16Uiu2HAm1"],
        });
        let path = connect_path(&identity).unwrap();
        assert_eq!(path, "/eth/v1/lodestar/connect_peer?peerId=16Uiu2HAm1&multiaddr=/ip4/127.0.0.1/tcp/9000");
        assert_eq!(connect_path(&serde_json::json!({ "peer_id": "16Uiu2HAm1", "p2p_addresses": [] })), None);
    }

    #[test]
    fn a_missing_installation_is_an_error_that_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let lodestar = Lodestar { installation: dir.path().into(), role: ForeignRole::BeaconNode, number: 1 };
        let error = lodestar.process(&seat(dir.path(), Vec::new())).unwrap_err().to_string();
        assert!(error.contains("interlock interop install"), "{error}");
    }
}
