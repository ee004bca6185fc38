//! `interlock bootnode`: a node that others start their discovery from.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use network::{Bootnode as Discovery, BootnodeConfig, ForkSchedule, load_or_create_key};
use node::NetworkFolder;
use types::Epoch;

use crate::{logging, shutdown};

/// Run discovery alone, so that nodes find each other.
#[derive(Args)]
pub struct Bootnode {
    /// Where the node key is kept; made where it is not there.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The address to listen on.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    listen_address: IpAddr,
    /// UDP port; 0 takes any free one.
    #[arg(long, value_name = "PORT", default_value_t = 9000)]
    udp_port: u16,
    /// The address that the record names, where it is not the one listened on.
    #[arg(long, value_name = "IP")]
    enr_address: Option<IpAddr>,
    /// Where to write the record once discovery listens.
    #[arg(long, value_name = "FILE")]
    enr_file: Option<PathBuf>,
    /// The network's folder: the record then names its genesis fork.
    #[arg(long, value_name = "DIR")]
    network_dir: Option<PathBuf>,
    /// Another record to know from the start. May be given several times.
    #[arg(long, value_name = "ENR")]
    bootnode: Vec<String>,
}

impl Bootnode {
    /// Runs until a signal.
    pub fn run(self) -> anyhow::Result<()> {
        logging::start();
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(self.run_discovery())
    }

    async fn run_discovery(self) -> anyhow::Result<()> {
        let mut stop = shutdown::on_signal().context("cannot listen for signals")?;
        let (eth2, mut bootnodes) = match &self.network_dir {
            Some(folder) => {
                let network = NetworkFolder::read(folder)?;
                let root = network.genesis.genesis_validators_root;
                (Some(ForkSchedule::new(network.spec, root).enr_fork_id(Epoch(0))), network.bootnodes)
            }
            None => (None, Vec::new()),
        };
        bootnodes.extend(self.bootnode);
        std::fs::create_dir_all(&self.data_dir).with_context(|| self.data_dir.display().to_string())?;
        let config = BootnodeConfig {
            listen_address: self.listen_address,
            udp_port: self.udp_port,
            advertised_ip: self.enr_address,
            advertised_udp_port: None,
            secret_key: load_or_create_key(&self.data_dir.join("node_key"))?,
            bootnodes,
            eth2,
        };
        let discovery = Discovery::start(config).await?;
        let record = discovery.enr().to_base64();
        if let Some(path) = &self.enr_file {
            write_whole(path, &record).with_context(|| path.display().to_string())?;
        }
        println!("{record}");
        // An error would mean that nobody can ask for the end any more, which is one.
        let _ = stop.wait_for(|stop| *stop).await;
        discovery.shutdown().await;
        Ok(())
    }
}

/// Writes a file so that a reader sees all of it or nothing.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    std::fs::write(&part, format!("{text}\n"))?;
    std::fs::rename(&part, path)
}
