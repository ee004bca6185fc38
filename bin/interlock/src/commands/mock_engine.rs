//! `interlock mock-engine`: an execution engine that executes nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use mock_engine::{Conduct, Lie, MockConfig, MockServer, MockServerConfig};
use node::NetworkFolder;
use types::Root;

use crate::mock_deposits::add_deposits;
use crate::mock_network::mock_config;
use crate::{jwt_file, logging, shutdown};

/// Run an execution engine that executes nothing, for tests and devnets.
///
/// It serves the Engine API on a port: keeps a tree of blocks, checks their hashes, builds payloads with withdrawals and
/// blobs. It can be slow, syncing or wrong on request. The first line that it prints is its address and the hash of its
/// first block, the second that of the eth_ family's port, where there is one.
#[derive(Args)]
pub struct MockEngine {
    /// The address to listen on.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen_address: IpAddr,
    /// The port; 0 takes any free one.
    #[arg(long, value_name = "PORT", default_value_t = 8551)]
    http_port: u16,
    /// Serve the methods of the eth_ family on this port too, without asking for a token; 0 takes any free one.
    #[arg(long, value_name = "PORT")]
    rpc_port: Option<u16>,
    /// The secret that it shares with the beacon node; drawn and written where the file is not there.
    #[arg(long, value_name = "FILE")]
    jwt_secret: PathBuf,
    /// The network's folder: chain id, first block and times of the forks are taken from it.
    #[arg(long, value_name = "DIR")]
    network_dir: Option<PathBuf>,
    /// Its chain id, where it is not the network's (else 1).
    #[arg(long, value_name = "N")]
    chain_id: Option<u64>,
    /// The hash of its first block, where it is not that of the network's genesis state.
    #[arg(long, value_name = "HASH")]
    genesis: Option<Root>,
    /// Answer SYNCING for this long.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    syncing_for: u64,
    /// Hold every answer back this long.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    delay: u64,
    /// Call the block of this number invalid, and all that follows it.
    #[arg(long, value_name = "NUMBER")]
    invalid_at: Option<u64>,
    /// Blobs in each payload that it builds, since Deneb.
    #[arg(long, value_name = "N", default_value_t = 0)]
    blobs: usize,
    /// Transactions in each payload that it builds: random bytes.
    #[arg(long, value_name = "N", default_value_t = 2)]
    transactions: usize,
    /// Do not have the blobs of its own payloads when asked for them.
    #[arg(long)]
    hide_blobs: bool,
    /// Take a payload whose parent is unknown for a valid one: for an engine that forgot everything at a restart.
    #[arg(long)]
    adopt_orphans: bool,
    /// Say what is not so.
    #[arg(long, value_enum)]
    lie: Option<LieName>,
    /// Have the block of this number bring the first deposit of a file with deposit data, and each block after it one
    /// more: as logs of the contract, and since Electra also as requests. All engines of a network must be told the
    /// same. Can be given several times.
    #[arg(long, value_name = "FILE@NUMBER")]
    deposits: Vec<String>,
    /// What payloads and blobs are drawn from.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// What it says that is not so.
#[derive(Clone, Copy, ValueEnum)]
pub enum LieName {
    /// Every payload is valid.
    AllValid,
    /// Every payload is invalid.
    AllInvalid,
    /// It never catches up.
    AllSyncing,
    /// Its payloads have a hash that is not theirs.
    WrongBlockHash,
    /// Its payloads have no withdrawals.
    WithoutWithdrawals,
}

impl From<LieName> for Lie {
    fn from(name: LieName) -> Self {
        match name {
            LieName::AllValid => Self::AllValid,
            LieName::AllInvalid => Self::AllInvalid,
            LieName::AllSyncing => Self::AllSyncing,
            LieName::WrongBlockHash => Self::WrongBlockHash,
            LieName::WithoutWithdrawals => Self::WithoutWithdrawals,
        }
    }
}

impl MockEngine {
    /// Runs until a signal.
    pub fn run(self) -> anyhow::Result<()> {
        logging::start();
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(self.run_server())
    }

    async fn run_server(self) -> anyhow::Result<()> {
        let mut stop = shutdown::on_signal().context("cannot listen for signals")?;
        let listen = SocketAddr::new(self.listen_address, self.http_port);
        let config = MockServerConfig {
            listen,
            secret: Some(jwt_file::read_or_create(&self.jwt_secret)?),
            rpc_listen: self.rpc_port.map(|port| SocketAddr::new(self.listen_address, port)),
            engine: self.engine_config()?,
            conduct: Conduct {
                delay_ms: self.delay,
                syncing_until_ms: self.syncing_for,
                invalid_at: self.invalid_at,
                adopts_orphans: self.adopt_orphans,
                hides_blobs: self.hide_blobs,
                lie: self.lie.map(Lie::from),
            },
        };
        let server = MockServer::start(config).await.with_context(|| format!("cannot listen on {listen}"))?;
        let genesis_hash = server.engine().genesis_hash();
        println!("{} {genesis_hash}", server.url());
        if let Some(address) = server.rpc_address() {
            println!("http://{address}");
        }
        // An error would mean that nobody can ask for the end any more, which is one.
        let _ = stop.wait_for(|stop| *stop).await;
        Ok(())
    }

    /// What the network's folder says, and what the command line says against it.
    fn engine_config(&self) -> anyhow::Result<MockConfig> {
        let network = self.network_dir.as_deref().map(NetworkFolder::read).transpose()?;
        let fitting = network.map(|network| mock_config(network.spec, &network.genesis));
        let mut config = MockConfig {
            transactions_per_block: self.transactions,
            blobs_per_block: self.blobs,
            seed: self.seed,
            ..fitting.unwrap_or_default()
        };
        if let Some(hash) = self.genesis {
            config.genesis.hash = hash;
        }
        if let Some(chain_id) = self.chain_id {
            config.chain_id = chain_id;
        }
        add_deposits(&mut config.deposits, &self.deposits)?;
        Ok(config)
    }
}
