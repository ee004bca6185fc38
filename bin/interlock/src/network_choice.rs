//! The options that say which network's rules apply.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use types::{ForkName, Settings, Spec};

/// Which preset, configuration and fork a tool works with.
#[derive(Args)]
pub struct NetworkChoice {
    /// Preset: mainnet, minimal, or the path of a preset file (YAML).
    #[arg(long, default_value = "mainnet")]
    pub preset: String,
    /// The network's config.yaml; by default the built-in configuration of the preset.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl NetworkChoice {
    /// The spec for an object of a known fork. Without a configuration of its own, the fork and all before it begin
    /// at genesis, and none after it is scheduled.
    pub fn spec_at(&self, fork: ForkName) -> anyhow::Result<&'static Spec> {
        let (built_in, preset_file) = match self.preset.as_str() {
            "mainnet" => (types::Config::MAINNET_YAML, None),
            "minimal" => (types::Config::MINIMAL_YAML, None),
            path => {
                let text = std::fs::read_to_string(path).with_context(|| {
                    format!("preset {path:?} is neither mainnet, minimal nor a file that can be read")
                })?;
                (types::Config::MAINNET_YAML, Some(text))
            }
        };
        let own = match &self.config {
            Some(path) => Some(std::fs::read_to_string(path).with_context(|| path.display().to_string())?),
            None => None,
        };
        let named = || match &self.config {
            Some(path) => path.display().to_string(),
            None => format!("preset {}", self.preset),
        };
        let mut settings = Settings::parse(own.as_deref().unwrap_or(built_in)).with_context(named)?;
        if preset_file.is_none() && own.is_some() {
            let base = settings.peek("PRESET_BASE").unwrap_or("mainnet");
            if base != self.preset {
                bail!("{}: PRESET_BASE is {base}, but the preset asked for is {}", named(), self.preset);
            }
        }
        if own.is_none() {
            for other in ForkName::ALL.into_iter().skip(1) {
                let epoch = if other <= fork { 0 } else { u64::MAX };
                settings.set(&format!("{}_FORK_EPOCH", other.as_str().to_uppercase()), epoch);
            }
        }
        Spec::from_settings(settings, preset_file.as_deref()).with_context(named)
    }
}
