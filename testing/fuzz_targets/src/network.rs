//! The networks that the targets live in.

use types::{ForkName, Spec};

/// A network of the minimal preset in which a fork and all before it begin at genesis.
pub fn spec_of(fork: ForkName) -> &'static Spec {
    static SPECS: std::sync::OnceLock<Vec<&'static Spec>> = std::sync::OnceLock::new();
    let make = |fork: ForkName| {
        // Validators of the first epochs may leave, so that exits are no wrong at once.
        let mut yaml = "PRESET_BASE: 'minimal'\nSHARD_COMMITTEE_PERIOD: 0\n".to_owned();
        for other in ForkName::ALL.into_iter().skip(1) {
            let epoch = if other <= fork { 0 } else { u64::MAX };
            yaml.push_str(&format!("{}_FORK_EPOCH: {epoch}\n", other.as_str().to_uppercase()));
        }
        Spec::from_yaml(&yaml, None).expect("the schedule goes forward")
    };
    SPECS.get_or_init(|| ForkName::ALL.into_iter().map(make).collect())[fork as usize]
}

/// The fork that a byte stands for.
pub fn fork_of(byte: u8) -> ForkName {
    ForkName::ALL[usize::from(byte) % ForkName::ALL.len()]
}
