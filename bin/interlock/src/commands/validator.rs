//! `interlock validator`: the validator client.

use std::ops::Range;
use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::Args;
use node::NetworkFolder;
use types::{ExecutionAddress, Root};
use validator_client::{Config, KeySource, ValidatorClient};

use crate::metrics_choice::MetricsChoice;
use crate::{logging, shutdown};

/// Propose, attest and aggregate with validator keys, through a beacon node.
///
/// The client speaks the standard Beacon API, so any beacon node of the same network will do. Before a block or an
/// attestation is signed it is checked against everything that the key signed before and recorded in
/// DATA_DIR/slashing_protection.sqlite. Never run one key in two places, and move that history with the keys: see
/// `interlock keys interchange`.
#[derive(Args)]
pub struct Validator {
    /// The beacon node's base URL.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:5052")]
    beacon_node: String,
    /// Where the history of signatures lies; created where there is none.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The network: a folder with config.yaml and genesis.ssz. A beacon node of another network is refused.
    #[arg(long, value_name = "DIR")]
    network_dir: PathBuf,
    #[command(flatten)]
    keys: Keys,
    /// Append a line of JSON for every message signed, before it is published.
    #[arg(long, value_name = "FILE")]
    signed_log: Option<PathBuf>,
    #[command(flatten)]
    metrics: MetricsChoice<5064>,
    /// A text for the blocks that are proposed, at most 32 bytes.
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = parse_graffiti)]
    graffiti: Root,
    /// Who gets the transaction fees of the blocks that are proposed; without it the beacon node decides.
    #[arg(long, value_name = "0x…", value_parser = parse_address)]
    suggested_fee_recipient: Option<ExecutionAddress>,
}

/// Where the keys come from.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct Keys {
    /// Keys of a test network that everybody can compute: numbers A up to, and without, B. Worthless for real money.
    #[arg(long, value_name = "A..B", value_parser = parse_range, conflicts_with_all = ["keystores_dir", "secrets_dir"])]
    interop_range: Option<Range<u64>>,
    /// EIP-2335 keystores: the *.json files in this folder and in its folders.
    #[arg(long, value_name = "DIR", requires = "secrets_dir")]
    keystores_dir: Option<PathBuf>,
    /// Passwords of the keystores: a file named 0x<pubkey> for each.
    #[arg(long, value_name = "DIR", requires = "keystores_dir")]
    secrets_dir: Option<PathBuf>,
}

/// Parses `A..B`.
pub fn parse_range(text: &str) -> anyhow::Result<Range<u64>> {
    let (first, end) =
        text.split_once("..").ok_or_else(|| anyhow!("a range has the form A..B, such as 0..16"))?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| anyhow!("{text:?}: {error}"));
    let range = number(first)?..number(end)?;
    if range.is_empty() {
        bail!("the range is empty: it begins with {} and ends before {}", range.start, range.end);
    }
    Ok(range)
}

fn parse_graffiti(text: &str) -> anyhow::Result<Root> {
    let mut graffiti = Root::ZERO;
    let place =
        graffiti.0.get_mut(..text.len()).ok_or_else(|| anyhow!("{} bytes, more than 32", text.len()))?;
    place.copy_from_slice(text.as_bytes());
    Ok(graffiti)
}

fn parse_address(text: &str) -> anyhow::Result<ExecutionAddress> {
    text.parse().map_err(|error| anyhow!("an address has the form 0x and 40 hexadecimal digits: {error}"))
}

impl Validator {
    /// Runs until it is interrupted.
    pub fn run(self) -> anyhow::Result<()> {
        logging::start();
        let network = NetworkFolder::read(&self.network_dir)?;
        let keys = match (self.keys.interop_range, self.keys.keystores_dir, self.keys.secrets_dir) {
            (Some(range), ..) => KeySource::Interop(range),
            (None, Some(keystores_dir), Some(secrets_dir)) => {
                KeySource::Keystores { keystores_dir, secrets_dir }
            }
            _ => bail!("no keys: give --interop-range, or --keystores-dir and --secrets-dir"),
        };
        let client = ValidatorClient::open(Config {
            spec: network.spec,
            genesis_time: network.genesis.genesis_time,
            genesis_validators_root: network.genesis.genesis_validators_root,
            beacon_node: self.beacon_node,
            data_dir: self.data_dir,
            keys,
            signed_log: self.signed_log,
            metrics: self.metrics.config(),
            graffiti: self.graffiti,
            suggested_fee_recipient: self.suggested_fee_recipient,
        })?;
        drop(network);
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async { client.run(shutdown::on_signal()?).await.map_err(anyhow::Error::from) })?;
        tracing::info!("the validator client has stopped");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_half_open_and_never_empty() {
        assert_eq!(parse_range("0..16").unwrap(), 0..16);
        assert!(parse_range("16").unwrap_err().to_string().contains("A..B"));
        assert!(parse_range("5..5").unwrap_err().to_string().contains("empty"));
        assert!(parse_range("a..5").is_err());
    }

    #[test]
    fn an_address_is_twenty_bytes() {
        assert_eq!(parse_address(&format!("0x{}", "Fe".repeat(20))).unwrap().0, [0xfe; 20]);
        for wrong in ["", "0xfe", &"fe".repeat(20), &format!("0x{}", "fe".repeat(21))] {
            assert!(parse_address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn graffiti_is_padded_and_bounded() {
        assert_eq!(parse_graffiti("hi").unwrap().0[..3], *b"hi\0");
        assert!(parse_graffiti(&"x".repeat(33)).is_err());
    }
}
