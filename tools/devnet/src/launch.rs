//! From a plan to running processes.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use futures::future::join_all;
use types::{ForkName, Root, Slot, Spec};

use crate::wiring::Wiring;
use crate::{
    DevnetPlan, Foreign, ForeignRole, ForeignSeat, NetworkFolder, NodePorts, NodeProbe, NodeStatus, Ports,
    ProcessPlan, Processes, interop_genesis,
};

/// How long one of our processes may take until it answers.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// How long a foreign one may take, which may be an interpreted program.
const FOREIGN_DEADLINE: Duration = Duration::from_secs(120);
/// How often something that is awaited is looked at.
const POLL: Duration = Duration::from_millis(100);

/// Whose a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// Our beacon node.
    Ours,
    /// Another client's.
    Foreign,
}

/// A beacon node of the network, and the validator client that goes with it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub kind: MemberKind,
    /// Its beacon node's process.
    pub beacon: String,
    /// Its validator client's process, where it has one.
    pub validator: Option<String>,
    /// Where its validator client notes what it signs.
    pub signed_log: Option<PathBuf>,
    /// Asks its Beacon API.
    pub probe: NodeProbe,
}

/// A running network. Dropping it stops its processes.
pub struct Devnet {
    /// What it was to be.
    pub plan: DevnetPlan,
    /// Its rules.
    pub spec: &'static Spec,
    /// Genesis, in Unix seconds.
    pub genesis_time: u64,
    /// The folder that describes it.
    pub folder: NetworkFolder,
    /// Its processes.
    pub processes: Processes,
    /// Its beacon nodes, ours first.
    pub members: Vec<Member>,
    validators_root: Root,
    bootnodes: Vec<String>,
    /// Our validator clients, and where their metrics are.
    validator_metrics: Vec<(String, u16)>,
    ports: Ports,
    /// Where the network shall be divided: then there is no discovery.
    wiring: Option<Wiring>,
    sides: [Vec<String>; 2],
}

impl Devnet {
    /// The address of the page with the figures of all nodes and of our validator clients; the first node serves it.
    pub fn dashboard(&self) -> String {
        let clients = self.validator_metrics.iter();
        let clients: String =
            clients.map(|(name, port)| format!("&validator={name}@{}", url(*port))).collect();
        format!("{}{clients}", self.fork_view().replacen("/forkview/", "/dashboard/", 1))
    }

    /// The address of the page that shows the block trees of all nodes, ours and foreign; the first node serves it.
    pub fn fork_view(&self) -> String {
        let member = |member: &Member| format!("node={}@{}", member.name, member.probe.client().url());
        let nodes: Vec<String> = self.members.iter().map(member).collect();
        let server = self.members.first().map_or("", |first| first.probe.client().url());
        format!("{server}/forkview/?{}", nodes.join("&"))
    }

    /// Starts bootnode, beacon nodes, validator clients and foreign clients, and waits until all beacon nodes answer.
    /// Where anything fails, everything is stopped again.
    pub async fn start(mut plan: DevnetPlan, foreign: &[Box<dyn Foreign>]) -> anyhow::Result<Self> {
        let signers = signers(&plan, foreign);
        plan.check(signers)?;
        plan.dir = prepare(&plan.dir)?;
        // A foreign client may take long to start, and should be there at genesis.
        let delay = plan.genesis_delay() + Duration::from_secs(10) * u32::try_from(foreign.len())?;
        let genesis_time = (unix_ms() + u64::try_from(delay.as_millis())?).div_ceil(1000);
        let spec = plan.spec(genesis_time)?;
        let genesis = interop_genesis(spec, plan.validators, genesis_time)?;
        let folder = NetworkFolder::write(&plan.dir.join("network"), spec, &genesis)?;
        let mut ports = plan.base_port.map_or_else(Ports::anywhere, Ports::from)?;
        let (wiring, sides) = lay_wires(&plan, foreign, &mut ports).await?;
        let shares = plan.shares(signers);
        let mut devnet = Self {
            spec,
            genesis_time,
            folder,
            processes: Processes::new(),
            members: Vec::new(),
            validators_root: genesis.genesis_validators_root,
            bootnodes: Vec::new(),
            validator_metrics: Vec::new(),
            ports,
            wiring,
            sides,
            plan,
        };
        if devnet.wiring.is_none() {
            devnet.start_bootnode().await?;
        }
        devnet.start_nodes(&shares).await?;
        let mut shares = shares.into_iter().skip(devnet.members.len());
        for client in foreign {
            let share = match client.role() {
                ForeignRole::BeaconNode => 0..0,
                _ => shares.next().context("a share for each signer")?,
            };
            devnet.start_foreign(client.as_ref(), share).await?;
        }
        Ok(devnet)
    }

    async fn start_bootnode(&mut self) -> anyhow::Result<()> {
        let dir = self.plan.dir.join("bootnode");
        let record = dir.join("enr.txt");
        let port = self.ports.free()?;
        let process = ProcessPlan::new("bootnode", &self.plan.program, dir.join("bootnode.log"))
            .arg("bootnode")
            .path("--data-dir", &dir)
            .option("--listen-address", "127.0.0.1")
            .option("--udp-port", port)
            .path("--enr-file", &record)
            .path("--network-dir", self.folder.path());
        self.processes.start(process)?;
        let end = Instant::now() + READY_DEADLINE;
        let mut last = String::new();
        // The file may be seen half written: a record that has not grown since the last look is complete.
        loop {
            let text = std::fs::read_to_string(&record).unwrap_or_default();
            if text.starts_with("enr:") && text == last {
                break;
            }
            last = text;
            self.still_alive()?;
            ensure!(Instant::now() < end, "the bootnode wrote no record to {}", record.display());
            tokio::time::sleep(POLL).await;
        }
        let enr = last.trim().to_owned();
        self.bootnodes = vec![enr];
        self.folder.set_bootnodes(&self.bootnodes)
    }

    async fn start_nodes(&mut self, shares: &[Range<u64>]) -> anyhow::Result<()> {
        for index in 0..self.plan.nodes {
            let name = node_name(index);
            let dir = self.plan.dir.join(&name);
            let ports = self.ports_of(&name)?;
            let beacon = format!("{name}/beacon");
            let mut process = self.beacon_process(&beacon, &dir, ports);
            if index < self.plan.supernodes {
                process = process.arg("--supernode");
            }
            if let Some(drill) = self.plan.data_drill.as_ref().filter(|_| index + 1 == self.plan.nodes) {
                process = process.option("--misbehave", drill.misbehaviour(self.spec));
            }
            for address in self.wiring.iter().flat_map(|wiring| wiring.dials_of(&name)) {
                process = process.option("--static-peer", address);
            }
            self.processes.start(process)?;
            let probe = NodeProbe::new(&name, &url(ports.http), self.spec);
            let kind = MemberKind::Ours;
            self.members.push(Member { name, kind, beacon, validator: None, signed_log: None, probe });
        }
        for (index, share) in shares.iter().take(self.members.len()).enumerate() {
            let probe = self.members[index].probe.clone();
            self.wait_ready(&probe, READY_DEADLINE).await?;
            let dir = self.plan.dir.join(&self.members[index].name);
            self.start_validator_client(index, &dir, share.clone())?;
        }
        Ok(())
    }

    /// Starts one more beacon node, without validators, and waits until it answers. Gives its place among the members.
    pub async fn start_late_node(&mut self, name: &str) -> anyhow::Result<usize> {
        let dir = self.plan.dir.join(name);
        let ports = self.ports.node()?;
        let beacon = format!("{name}/beacon");
        let process = self.beacon_process(&beacon, &dir, ports);
        self.processes.start(process)?;
        let probe = NodeProbe::new(name, &url(ports.http), self.spec);
        self.wait_ready(&probe, READY_DEADLINE).await?;
        let (name, kind) = (name.to_owned(), MemberKind::Ours);
        self.members.push(Member { name, kind, beacon, validator: None, signed_log: None, probe });
        Ok(self.members.len() - 1)
    }

    fn beacon_process(&self, name: &str, dir: &Path, ports: NodePorts) -> ProcessPlan {
        let process = ProcessPlan::new(name, &self.plan.program, dir.join("beacon.log"))
            .arg("beacon")
            .path("--network-dir", self.folder.path())
            .path("--data-dir", &dir.join("beacon"))
            .option("--http-port", ports.http)
            .arg("--metrics")
            .option("--metrics-port", ports.metrics)
            .option("--tcp-port", ports.tcp)
            .option("--udp-port", ports.udp)
            .option("--listen-address", "127.0.0.1")
            .option("--enr-address", "127.0.0.1")
            // The fork view of one node asks all others.
            .arg("--http-allow-any-origin");
        let process = match self.plan.is_scheduled(ForkName::Bellatrix) {
            // Each node has an engine of its own, which learns of blocks from it alone.
            true => process.option("--execution", "mock").option("--mock-blobs", self.plan.blobs),
            false => process,
        };
        if self.plan.subscribe_all_subnets { process.arg("--subscribe-all-subnets") } else { process }
    }

    /// Starts a validator client of ours for a member.
    fn start_validator_client(
        &mut self,
        member: usize,
        dir: &Path,
        validators: Range<u64>,
    ) -> anyhow::Result<()> {
        let name = format!("{}/validator", self.members[member].name);
        let signed_log = dir.join("signed.jsonl");
        let metrics = self.ports.free()?;
        let process = ProcessPlan::new(&name, &self.plan.program, dir.join("validator.log"))
            .arg("validator")
            .option("--beacon-node", self.members[member].probe.client().url())
            .path("--data-dir", &dir.join("validator"))
            .path("--network-dir", self.folder.path())
            .option("--interop-range", format!("{}..{}", validators.start, validators.end))
            .arg("--metrics")
            .option("--metrics-port", metrics)
            // The dashboard of the first node asks all others.
            .arg("--metrics-allow-any-origin")
            .path("--signed-log", &signed_log);
        self.processes.start(process)?;
        self.validator_metrics.push((name.clone(), metrics));
        self.members[member].validator = Some(name);
        self.members[member].signed_log = Some(signed_log);
        Ok(())
    }

    async fn start_foreign(&mut self, client: &dyn Foreign, validators: Range<u64>) -> anyhow::Result<()> {
        let name = client.name();
        let dir = self.plan.dir.join(&name);
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        let ours = self.members.iter().filter(|member| member.kind == MemberKind::Ours);
        let beacon_urls: Vec<String> = ours.map(|member| member.probe.client().url().to_owned()).collect();
        let role = client.role();
        let signs = role == ForeignRole::ValidatorClient;
        let seat = ForeignSeat {
            name: name.clone(),
            network: self.folder.clone(),
            spec: self.spec,
            genesis_time: self.genesis_time,
            genesis_validators: self.plan.validators,
            dir: dir.clone(),
            ports: self.ports_of(&name)?,
            bootnodes: self.bootnodes.clone(),
            // Validator clients are spread over our nodes from the last one backwards.
            beacon: beacon_urls.len() - 1 - self.processes.names().count() % beacon_urls.len(),
            beacon_urls,
            validators: if signs { validators.clone() } else { 0..0 },
        };
        let process = client.process(&seat).with_context(|| name.clone())?;
        ensure!(process.name == name, "{name} names its process {}", process.name);
        self.processes.start(process)?;
        if signs {
            let api = api::Client::new(seat.beacon_url());
            return client.started(&seat, &api).await.with_context(|| name.clone());
        }
        let probe = NodeProbe::new(&name, &url(seat.ports.http), self.spec);
        self.wait_ready(&probe, FOREIGN_DEADLINE).await?;
        match self.wiring.as_ref().and_then(|wiring| wiring.ready.get(&name)) {
            // Our nodes are waiting to reach it.
            Some(gate) => gate.open(),
            None => client.started(&seat, probe.client()).await.with_context(|| name.clone())?,
        }
        let member = Member {
            name: name.clone(),
            kind: MemberKind::Foreign,
            beacon: name,
            validator: None,
            signed_log: None,
            probe,
        };
        self.members.push(member);
        if role == ForeignRole::BeaconNodeWithOurValidators {
            self.start_validator_client(self.members.len() - 1, &dir, validators)?;
        }
        Ok(())
    }

    fn ports_of(&mut self, name: &str) -> anyhow::Result<NodePorts> {
        match self.wiring.as_ref().and_then(|wiring| wiring.ports.get(name)) {
            Some(ports) => Ok(*ports),
            None => self.ports.node(),
        }
    }

    /// The nodes of the two sides of a network that shall be divided; empty in others.
    pub fn sides(&self) -> &[Vec<String>; 2] {
        &self.sides
    }

    /// Cuts all connections between the sides.
    pub fn cut(&self) -> anyhow::Result<()> {
        self.wiring.as_ref().context("no wires were laid to be cut")?.between.close();
        Ok(())
    }

    /// Lets the sides meet again.
    pub fn heal(&self) -> anyhow::Result<()> {
        self.wiring.as_ref().context("no wires were laid to be cut")?.between.open();
        Ok(())
    }

    /// Waits until a node answers, and checks that it is a node of this network.
    async fn wait_ready(&mut self, probe: &NodeProbe, deadline: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + deadline;
        loop {
            let error = match probe.client().genesis().await {
                Ok(genesis) => {
                    ensure!(
                        genesis.genesis_validators_root == self.validators_root,
                        "{} is on another network: its genesis_validators_root is {}, not {}",
                        probe.name(),
                        genesis.genesis_validators_root,
                        self.validators_root
                    );
                    return Ok(());
                }
                Err(error) => error,
            };
            self.still_alive()?;
            if Instant::now() >= end {
                bail!("{} does not answer after {} s: {error}", probe.name(), deadline.as_secs());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// An error with name, status and last lines where a process ended that should run.
    pub fn still_alive(&mut self) -> anyhow::Result<()> {
        match self.processes.died() {
            Some(death) => bail!("{death}"),
            None => Ok(()),
        }
    }

    /// Asks all nodes at the same time; in the order of [`Devnet::members`].
    pub async fn statuses(&self) -> Vec<anyhow::Result<NodeStatus>> {
        join_all(self.members.iter().map(|member| member.probe.status())).await
    }

    /// Kills a member's beacon node and validator client.
    pub fn kill_member(&mut self, member: usize) -> anyhow::Result<()> {
        // The beacon node goes first: a validator client alone could not sign anything that reaches the network.
        let names = self.process_names(member);
        names.iter().try_for_each(|name| self.processes.kill(name).map(|_| ()))
    }

    /// Starts a member's beacon node and validator client again as they were started before.
    pub fn restart_member(&mut self, member: usize) -> anyhow::Result<()> {
        let names = self.process_names(member);
        names.iter().try_for_each(|name| self.processes.restart(name))
    }

    fn process_names(&self, member: usize) -> Vec<String> {
        let member = &self.members[member];
        std::iter::once(member.beacon.clone()).chain(member.validator.clone()).collect()
    }

    /// True while a member's beacon node has not been killed or stopped.
    pub fn is_running(&self, member: usize) -> bool {
        self.processes.pid(&self.members[member].beacon).is_some()
    }

    /// The slot of a moment in Unix milliseconds; none before genesis.
    pub fn slot_at(&self, ms: u64) -> Option<Slot> {
        let since = ms.checked_sub(self.genesis_time * 1000)?;
        Some(Slot(since / self.spec.config.slot_duration_ms))
    }
}

/// The wires of a network that shall be divided, and its sides; none for others.
async fn lay_wires(
    plan: &DevnetPlan,
    foreign: &[Box<dyn Foreign>],
    ports: &mut Ports,
) -> anyhow::Result<(Option<Wiring>, [Vec<String>; 2])> {
    let Some(partition) = &plan.partition else { return Ok((None, Default::default())) };
    let ours: Vec<String> = (0..plan.nodes).map(node_name).collect();
    let nodes = foreign.iter().filter(|client| client.role() != ForeignRole::ValidatorClient);
    let foreign: Vec<String> = nodes.map(|client| client.name()).collect();
    let sides = partition.sides_of(&ours, &foreign);
    let wiring = Wiring::lay(&ours, &foreign, &sides, ports).await.context("the sides of the partition")?;
    Ok((Some(wiring), sides))
}

fn node_name(index: u64) -> String {
    format!("node-{index}")
}

/// The number of validator clients, ours and foreign ones.
pub(crate) fn signers(plan: &DevnetPlan, foreign: &[Box<dyn Foreign>]) -> u64 {
    plan.nodes + foreign.iter().filter(|client| client.role() != ForeignRole::BeaconNode).count() as u64
}

/// Now, in Unix milliseconds.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Makes the network's folder, and gives its path from the root, since processes may start in other folders. One with
/// anything in it is refused: databases of another network would be found there.
fn prepare(dir: &Path) -> anyhow::Result<PathBuf> {
    let name = || dir.display().to_string();
    std::fs::create_dir_all(dir).with_context(name)?;
    let empty = std::fs::read_dir(dir).with_context(name)?.next().is_none();
    ensure!(empty, "{} is not empty; a network starts in a folder of its own", dir.display());
    dir.canonicalize().with_context(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_in_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        prepare(&dir.path().join("new/deep")).unwrap();
        prepare(&dir.path().join("new/deep")).unwrap();
        let error = prepare(dir.path()).unwrap_err().to_string();
        assert!(error.contains("is not empty"), "{error}");
    }
}
