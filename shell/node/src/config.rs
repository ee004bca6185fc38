//! What an operator chooses, and the folder that describes a network.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use execution::RpcConfig;
use exporter::ExporterConfig;
use types::{BeaconState, ExecutionAddress, Settings, Spec};

use crate::evidence::EVIDENCE_BUDGET_MIB;
use crate::{Misbehaviour, NodeError};

/// What a beacon node needs to run.
#[derive(Clone, Debug)]
pub struct BeaconConfig {
    /// The network.
    pub network: NetworkFolder,
    /// Where database and node key lie.
    pub data_dir: PathBuf,
    /// Where the Beacon API listens.
    pub http: SocketAddr,
    /// Allow pages from any origin to call the API.
    pub allow_any_origin: bool,
    /// Where libp2p and discovery listen.
    pub listen_address: IpAddr,
    /// TCP port of libp2p; 0 takes any free one.
    pub tcp_port: u16,
    /// UDP port of discovery; 0 takes any free one.
    pub udp_port: u16,
    /// The address that the node record names; by default what peers see.
    pub enr_address: Option<IpAddr>,
    /// Records to start discovery from, besides those of the network folder.
    pub bootnodes: Vec<String>,
    /// Peers to stay connected to, as multiaddresses.
    pub static_peers: Vec<String>,
    /// Peers to look for.
    pub target_peers: usize,
    /// Listen to all attestation subnets.
    pub subscribe_all_subnets: bool,
    /// The execution engines, the preferred one first. Without any, no block with a payload can be imported.
    pub execution: Vec<RpcConfig>,
    /// Who gets the fees of blocks whose proposer named nobody.
    pub fee_recipient: ExecutionAddress,
    /// Keep the data columns of all custody groups, not only the node's own.
    pub supernode: bool,
    /// Where metrics are read, and by which pages; none where they are not.
    pub metrics: Option<ExporterConfig>,
    /// How many bytes evidence of what should not happen may take on disk; with zero none is kept.
    pub evidence_budget: u64,
    /// What the node does wrong on purpose, for drills; an honest node does nothing of the kind.
    pub misbehaviour: Option<Misbehaviour>,
}

impl BeaconConfig {
    /// A node of this network with its data in a folder, listening on loopback at ports of the system's choice.
    pub fn loopback(network: NetworkFolder, data_dir: PathBuf) -> Self {
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            network,
            data_dir,
            http: SocketAddr::new(localhost, 0),
            allow_any_origin: false,
            listen_address: localhost,
            tcp_port: 0,
            udp_port: 0,
            enr_address: Some(localhost),
            bootnodes: Vec::new(),
            static_peers: Vec::new(),
            target_peers: 64,
            subscribe_all_subnets: false,
            execution: Vec::new(),
            fee_recipient: ExecutionAddress::ZERO,
            supernode: false,
            metrics: None,
            evidence_budget: EVIDENCE_BUDGET_MIB << 20,
            misbehaviour: None,
        }
    }
}

/// A network: its rules, its first state and its first contacts.
#[derive(Clone, Debug)]
pub struct NetworkFolder {
    /// Preset and configuration.
    pub spec: &'static Spec,
    /// The genesis state.
    pub genesis: Arc<BeaconState>,
    /// Node records to start discovery from.
    pub bootnodes: Vec<String>,
    /// The first block of the execution chain that can have a deposit of the contract.
    pub deposit_block: u64,
}

impl NetworkFolder {
    /// Reads `config.yaml`, `genesis.ssz`, and where they exist `preset.yaml`, `bootstrap_nodes.yaml` and the deposit
    /// contract's block.
    pub fn read(folder: &Path) -> Result<Self, NodeError> {
        let config = read_text(&folder.join("config.yaml"))?;
        let preset_path = folder.join("preset.yaml");
        let preset = if preset_path.exists() { Some(read_text(&preset_path)?) } else { None };
        let file_error = |path: PathBuf, reason: String| NodeError::File { path, reason };
        let wrong_config =
            |error: types::SettingError| file_error(folder.join("config.yaml"), error.to_string());
        let settings = Settings::parse(&config).map_err(wrong_config)?;
        let spec = Spec::from_settings(settings, preset.as_deref()).map_err(wrong_config)?;

        let path = folder.join("genesis.ssz");
        let bytes = std::fs::read(&path).map_err(|error| file_error(path.clone(), error.to_string()))?;
        let genesis = BeaconState::decode_any(spec, &bytes).map_err(|error| {
            file_error(path, format!("no state of preset {}: {error}", spec.config.preset_base))
        })?;
        check_genesis(spec, &genesis)?;

        let path = folder.join("bootstrap_nodes.yaml");
        let bootnodes = if path.exists() { records(&read_text(&path)?) } else { Vec::new() };
        Ok(Self { spec, genesis: Arc::new(genesis), bootnodes, deposit_block: deposit_block(folder)? })
    }
}

/// The number in the file of either name that clients give it; without one all blocks are looked through.
fn deposit_block(folder: &Path) -> Result<u64, NodeError> {
    let names = ["deposit_contract_block.txt", "deploy_block.txt"];
    let Some(path) = names.map(|name| folder.join(name)).into_iter().find(|path| path.exists()) else {
        return Ok(0);
    };
    let number = read_text(&path)?.trim().parse();
    number.map_err(|_| NodeError::File { path, reason: "it holds no block number".to_owned() })
}

fn read_text(path: &Path) -> Result<String, NodeError> {
    std::fs::read_to_string(path)
        .map_err(|error| NodeError::File { path: path.to_owned(), reason: error.to_string() })
}

/// The records of a list, one an entry; comments and other lines are passed over.
fn records(text: &str) -> Vec<String> {
    let items = text.lines().map(|line| line.trim().trim_start_matches("- ").trim_matches(['"', '\'']));
    items.filter(|item| item.starts_with("enr:")).map(str::to_owned).collect()
}

/// Refuses a genesis state that was made under another configuration.
fn check_genesis(spec: &Spec, genesis: &BeaconState) -> Result<(), NodeError> {
    let mismatch = |reason: String| Err(NodeError::GenesisMismatch(reason));
    let fork = spec.fork_name_at_slot(genesis.slot);
    let version = spec.fork_version(fork);
    if genesis.fork.current_version != version {
        return mismatch(format!(
            "its fork version is {}, the configuration says {version} ({fork})",
            genesis.fork.current_version
        ));
    }
    if genesis.slot == 0
        && transition::genesis::genesis_validators_root(genesis) != genesis.genesis_validators_root
    {
        return mismatch("its genesis_validators_root is not that of its validators".into());
    }
    if genesis.validators.is_empty() {
        return mismatch("it has no validators".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_in_yaml_and_plain_lists() {
        let text = "# comment\n- enr:-abc\n- \"enr:-def\" \nenr:-ghi\n- other\n";
        assert_eq!(records(text), ["enr:-abc", "enr:-def", "enr:-ghi"]);
    }

    /// A folder with the minimal network's configuration, one setting changed, and a genesis state made without it.
    fn folder(name: &str, key: &str, value: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("interlock-network-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut settings = Settings::parse(types::Config::MINIMAL_YAML).unwrap();
        settings.set(key, value);
        let spec = Spec::from_settings(settings, None).unwrap();
        std::fs::write(folder.join("config.yaml"), spec.config.to_yaml()).unwrap();
        let genesis = crate::fixture::World::new().loads.genesis_state.encoded();
        std::fs::write(folder.join("genesis.ssz"), genesis).unwrap();
        folder
    }

    #[test]
    fn a_folder_is_read_where_configuration_and_genesis_agree() {
        let agreeing = folder("agreeing", "SLOT_DURATION_MS", "3000");
        std::fs::write(agreeing.join("bootstrap_nodes.yaml"), "- enr:-abc\n").unwrap();
        let network = NetworkFolder::read(&agreeing).unwrap();
        assert_eq!(network.spec.config.slot_duration_ms, 3000);
        assert_eq!((network.genesis.validators.len(), network.bootnodes.len()), (16, 1));

        let contradicting = folder("contradicting", "GENESIS_FORK_VERSION", "0x00000077");
        let error = NetworkFolder::read(&contradicting).unwrap_err().to_string();
        assert!(error.contains("does not fit the configuration") && error.contains("0x00000077"), "{error}");

        assert_eq!(network.deposit_block, 0);
        std::fs::write(agreeing.join("deploy_block.txt"), "123\n").unwrap();
        assert_eq!(NetworkFolder::read(&agreeing).unwrap().deposit_block, 123);
        std::fs::write(agreeing.join("deploy_block.txt"), "0x7b").unwrap();
        let error = NetworkFolder::read(&agreeing).unwrap_err().to_string();
        assert!(error.contains("deploy_block.txt: it holds no block number"), "{error}");
        std::fs::remove_file(agreeing.join("deploy_block.txt")).unwrap();

        std::fs::write(agreeing.join("genesis.ssz"), [0; 100]).unwrap();
        let error = NetworkFolder::read(&agreeing).unwrap_err().to_string();
        assert!(error.contains("genesis.ssz: no state of preset minimal"), "{error}");
        std::fs::remove_file(agreeing.join("config.yaml")).unwrap();
        assert!(NetworkFolder::read(&agreeing).unwrap_err().to_string().contains("config.yaml: "));
        let _ = (std::fs::remove_dir_all(agreeing), std::fs::remove_dir_all(contradicting));
    }
}
