//! The folder that describes a network to any client: `config.yaml`, `genesis.ssz`, `bootstrap_nodes.yaml` and the
//! deposit contract's files.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use types::{BeaconState, Spec};

/// A network's folder on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkFolder {
    path: PathBuf,
}

impl NetworkFolder {
    /// Writes the folder, with no bootnodes yet. Files of the same names are replaced.
    pub fn write(path: &Path, spec: &Spec, genesis: &BeaconState) -> anyhow::Result<Self> {
        let folder = Self { path: path.to_owned() };
        std::fs::create_dir_all(path).with_context(|| path.display().to_string())?;
        folder.put("config.yaml", spec.config.to_yaml().as_bytes())?;
        folder.put("genesis.ssz", &genesis.encoded())?;
        // There is no deposit contract; block 0 is where a client would begin to look for one. Clients differ in the
        // file's name, and some want the contract's address beside it.
        folder.put("deposit_contract_block.txt", b"0\n")?;
        folder.put("deploy_block.txt", b"0\n")?;
        folder
            .put("deposit_contract.txt", format!("{}\n", spec.config.deposit_contract_address).as_bytes())?;
        let root = format!("{}\n", genesis.genesis_validators_root);
        folder.put("genesis_validators_root.txt", root.as_bytes())?;
        folder.set_bootnodes(&[])?;
        Ok(folder)
    }

    /// Replaces the list of node records from which discovery starts.
    pub fn set_bootnodes(&self, records: &[String]) -> anyhow::Result<()> {
        let mut text = String::new();
        for record in records {
            writeln!(text, "- \"{record}\"").expect("a String takes everything");
        }
        if records.is_empty() {
            text.push_str("[]\n");
        }
        self.put("bootstrap_nodes.yaml", text.as_bytes())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `config.yaml`.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.yaml")
    }

    /// `genesis.ssz`.
    pub fn genesis(&self) -> PathBuf {
        self.path.join("genesis.ssz")
    }

    fn put(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.path.join(name);
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DevnetPlan, PresetName, interop_genesis};

    fn round_trip(preset: PresetName, slot_ms: u64) {
        let dir = tempfile::tempdir().unwrap();
        let mut plan = DevnetPlan::new(2, 64, "interlock".into(), dir.path().into());
        (plan.preset, plan.slot_ms) = (preset, slot_ms);
        let spec = plan.spec(1_800_000_000).unwrap();
        let genesis = interop_genesis(spec, 64, 1_800_000_000).unwrap();
        let folder = NetworkFolder::write(&dir.path().join("network"), spec, &genesis).unwrap();

        let text = std::fs::read_to_string(folder.config()).unwrap();
        let again = Spec::from_yaml(&text, None).unwrap();
        assert_eq!(again.config, spec.config);
        assert_eq!(again.preset, spec.preset);
        let state = BeaconState::decode_any(again, &std::fs::read(folder.genesis()).unwrap()).unwrap();
        assert_eq!(state.state_root(), genesis.state_root());
        assert_eq!(state.genesis_validators_root, genesis.genesis_validators_root);
        assert_eq!(transition::genesis::genesis_validators_root(&state), genesis.genesis_validators_root);
        assert_eq!(state.validators.len(), 64);
    }

    #[test]
    fn a_folder_read_again_is_the_same_network() {
        round_trip(PresetName::Minimal, 3000);
        round_trip(PresetName::Minimal, 1250);
        round_trip(PresetName::Mainnet, 12_000);
    }

    #[test]
    fn bootnodes_are_a_list_also_when_there_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let folder = NetworkFolder { path: dir.path().into() };
        let text = || std::fs::read_to_string(dir.path().join("bootstrap_nodes.yaml")).unwrap();
        folder.set_bootnodes(&[]).unwrap();
        assert_eq!(text(), "[]\n");
        folder.set_bootnodes(&["enr:-a".into(), "enr:-b".into()]).unwrap();
        assert_eq!(text(), "- \"enr:-a\"\n- \"enr:-b\"\n");
    }
}
