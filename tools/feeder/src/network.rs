//! The network: its rules, its first state and its blocks, all made before the node starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use devnet::{DevnetPlan, NetworkFolder, PresetName};
use mock_engine::MockConfig;
use synthetic::{Chain, Keys, genesis_state};
use types::{Epoch, ForkName, SignedBeaconBlock, Spec};

/// What the keys follow from.
const SEED: u64 = 1;

/// A network, and how long it is fed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Validators in the registry.
    pub validators: usize,
    /// Slots with a block each, from slot 1 on.
    pub slots: u64,
    /// The fork from genesis on.
    pub fork: ForkName,
    /// The length of a slot, in milliseconds.
    pub slot_ms: u64,
    /// Genesis, in Unix seconds.
    pub genesis_time: u64,
    /// The program that has the command `beacon`.
    pub program: PathBuf,
    /// Where everything goes.
    pub dir: PathBuf,
}

/// What the node is started on, and what it is fed.
pub struct Network {
    /// The rules.
    pub spec: &'static Spec,
    /// The folder that describes it.
    pub folder: NetworkFolder,
    /// The blocks of slot 1, 2 and so on.
    pub blocks: Vec<SignedBeaconBlock>,
}

impl Plan {
    /// Makes the network. Everything but the blocks is dropped from memory again.
    pub fn network(&self) -> anyhow::Result<Network> {
        let begun = Instant::now();
        let mut devnet = DevnetPlan::new(1, self.validators as u64, self.program.clone(), self.dir.clone());
        devnet.preset = PresetName::Mainnet;
        devnet.slot_ms = self.slot_ms;
        if self.fork > ForkName::Phase0 {
            devnet.forks = [(self.fork, Epoch(0))].into();
        }
        let spec = devnet.spec(self.genesis_time)?;
        let keys = Arc::new(Keys::new(SEED, self.validators));
        let payload = MockConfig::genesis_payload(self.genesis_time.saturating_sub(1));
        let state = genesis_state(spec, &keys, self.validators, self.genesis_time, Some(&payload))?;
        let folder = NetworkFolder::write(&self.dir.join("network"), spec, &state)?;
        let genesis_bytes = std::fs::metadata(folder.genesis())?.len();
        println!(
            "{} validators, {}, genesis of {} MB made in {:.0} s",
            self.validators,
            self.fork,
            genesis_bytes / 1_000_000,
            begun.elapsed().as_secs_f64()
        );
        let begun = Instant::now();
        let mut chain = Chain::new(state, keys);
        let blocks: Vec<_> = (0..self.slots).map(|_| chain.next_block()).collect::<Result<_, _>>()?;
        println!("{} blocks made in {:.0} s", blocks.len(), begun.elapsed().as_secs_f64());
        Ok(Network { spec, folder, blocks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_describes_the_network_and_the_blocks_follow_each_other() {
        let dir = tempfile::tempdir().unwrap();
        for fork in [ForkName::Phase0, ForkName::Fulu] {
            let plan = Plan {
                validators: 512,
                slots: 3,
                fork,
                slot_ms: 3000,
                genesis_time: 1_800_000_000,
                program: "interlock".into(),
                dir: dir.path().into(),
            };
            let network = plan.network().unwrap();
            let text = std::fs::read_to_string(network.folder.config()).unwrap();
            let spec = Spec::from_yaml(&text, None).unwrap();
            let bytes = std::fs::read(network.folder.genesis()).unwrap();
            let genesis = types::BeaconState::decode_at(spec, fork, &bytes).unwrap();
            assert_eq!(genesis.validators.len(), 512);
            let slots: Vec<u64> = network.blocks.iter().map(|block| block.message.slot.0).collect();
            assert_eq!(slots, [1, 2, 3]);
        }
    }
}
