//! The running processes of one mix.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use api::Client as Api;
use devnet::{ForeignSeat, Ports, Processes, log_tail};

use crate::engine::{self, Engine};
use crate::mix::{Client, ValidatorPlan};
use crate::network::Network;
use crate::{interlock, lodestar};

/// From its start to its first answer; Lodestar alone takes up to ten seconds on a machine with other work.
const START_TIMEOUT: Duration = Duration::from_secs(90);
/// How long all processes together have to end when they are asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(250);

/// The programs of the two clients.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `interlock`.
    pub interlock: PathBuf,
    /// Lodestar's wrapper.
    pub lodestar: PathBuf,
}

/// A running beacon node.
pub struct Node {
    /// What reports call it.
    pub name: String,
    /// Its API.
    pub api: Api,
}

/// All processes of a mix. They end when it is dropped.
pub struct Cluster {
    /// The nodes that answer, in the order of their start.
    pub nodes: Vec<Node>,
    network: Network,
    programs: Programs,
    dir: PathBuf,
    ports: Ports,
    processes: Processes,
    validator_clients: usize,
}

impl Cluster {
    /// Nothing runs yet; logs and data will be in `dir`.
    pub fn new(network: Network, programs: Programs, dir: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            nodes: Vec::new(),
            network,
            programs,
            dir: dir.to_owned(),
            ports: Ports::anywhere()?,
            processes: Processes::new(),
            validator_clients: 0,
        })
    }

    /// The network that it runs.
    pub fn network(&self) -> &Network {
        &self.network
    }

    fn seat(&mut self, name: &str) -> anyhow::Result<ForeignSeat> {
        let dir = self.dir.join(name);
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        Ok(self.network.seat(name, dir, self.ports.node()?))
    }

    /// Starts a beacon node and waits for its first answer. All but the first learn of the first one's record, which
    /// is all that they learn: the rest is for discovery.
    pub async fn start_node(&mut self, client: Client) -> anyhow::Result<()> {
        let name = format!("{}-{}", client.as_str(), self.nodes.len() + 1);
        let mut seat = self.seat(&name)?;
        if let Some(first) = self.nodes.first() {
            let identity = first.api.identity().await?;
            let record = identity["enr"].as_str().filter(|record| record.starts_with("enr:"));
            seat.bootnodes =
                vec![record.with_context(|| format!("{} has no record", first.name))?.to_owned()];
        }
        let engine = self.start_engine(&seat)?;
        let process = match client {
            Client::Interlock => interlock::beacon(&self.programs.interlock, &seat, engine.as_ref()),
            Client::Lodestar => lodestar::beacon(&self.programs.lodestar, &seat, engine.as_ref()),
        };
        self.processes.start(process)?;
        let node = Node { api: Api::new(&format!("http://127.0.0.1:{}", seat.ports.http)), name };
        self.first_answer(&node).await?;
        self.nodes.push(node);
        Ok(())
    }

    /// The engine of a node, on a network that merges. It writes its secret before it listens, within milliseconds;
    /// Lodestar takes seconds until it reads it, and Interlock must find it.
    fn start_engine(&mut self, seat: &ForeignSeat) -> anyhow::Result<Option<Engine>> {
        if !self.network.merges() {
            return Ok(None);
        }
        let ports = self.ports.node()?;
        let name = format!("{}-engine", seat.name);
        let (engine, process) =
            engine::mock(&self.programs.interlock, seat.network.path(), (&name, &seat.dir), ports);
        self.processes.start(process)?;
        let started = Instant::now();
        while !engine.secret.is_file() {
            self.all_alive()?;
            ensure!(started.elapsed() < START_TIMEOUT, "{name} does not start\n{}", self.tails(&name));
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Some(engine))
    }

    async fn first_answer(&mut self, node: &Node) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            self.all_alive()?;
            // The identity needs the network and not only the API.
            let Err(error) = node.api.identity().await else { return Ok(()) };
            if started.elapsed() > START_TIMEOUT {
                let tails = self.tails(&node.name);
                bail!("{} did not answer within {START_TIMEOUT:?}: {error}\n{tails}", node.name);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Starts a validator client.
    pub fn start_validator(&mut self, plan: &ValidatorPlan) -> anyhow::Result<()> {
        let node = self.nodes.get(plan.node).context("a validator client needs its node first")?;
        let url = node.api.url().to_owned();
        self.validator_clients += 1;
        let mut seat =
            self.seat(&format!("{}-validator-{}", plan.client.as_str(), self.validator_clients))?;
        seat.beacon_urls = vec![url];
        seat.validators = plan.range.clone();
        self.processes.start(match plan.client {
            Client::Interlock => interlock::validator(&self.programs.interlock, &seat),
            Client::Lodestar => lodestar::validator(&self.programs.lodestar, &seat),
        })
    }

    /// An error with the last lines of its log where any process has ended.
    pub fn all_alive(&mut self) -> anyhow::Result<()> {
        match self.processes.died() {
            Some(death) => bail!("{death}"),
            None => Ok(()),
        }
    }

    /// The last lines of the logs whose process's name contains this text.
    pub fn tails(&self, text: &str) -> String {
        let mut tails = Vec::new();
        for plan in self.processes.names().filter_map(|name| self.processes.plan(name)) {
            if plan.name.contains(text) {
                tails.push(format!("the end of {}:", plan.log.display()));
                tails.extend(log_tail(&plan.log, 8).into_iter().map(|line| format!("    {line}")));
            }
        }
        tails.join("\n")
    }

    /// Stops everything; those who started last are asked first.
    pub fn stop(mut self) {
        self.processes.stop_all(STOP_TIMEOUT);
    }
}
