//! The drill: what happens when, and what must be seen.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use api::Client as Api;
use devnet::{ForeignSeat, NetworkFolder, Ports, Processes, log_tail};
use types::{Epoch, ExecutionAddress, ForkName, Root, Slot, Spec};

use super::ethereumjs::{self, CHAIN_ID, Rpc};
use super::transfer::Account;
use super::{history, network};
use crate::engine::Engine;
use crate::install::Peer;
use crate::interlock;
use crate::watch::unix_now;

/// When the network is upgraded. Capella is there from genesis.
const UPGRADES: [(ForkName, Epoch); 5] = [
    (ForkName::Altair, Epoch(0)),
    (ForkName::Bellatrix, Epoch(0)),
    (ForkName::Capella, Epoch(0)),
    (ForkName::Deneb, Epoch(2)),
    (ForkName::Electra, Epoch(4)),
];
/// When the second node's execution client is killed, and when it loses its database.
const KILL_IN: Epoch = Epoch(3);
const WIPE_IN: Epoch = Epoch(5);
/// How often it may lose its database until a block comes while it has not got everything back.
const WIPES_MAX: u32 = 6;
/// What must be final at the end.
const GOAL: Epoch = Epoch(7);
/// From the making of the genesis to genesis: an execution client takes up to ten seconds to start.
const GENESIS_DELAY_SECONDS: u64 = 40;
/// How long a node has for what it must do at once: start, notice that its engine is gone, or be back in step.
const PATIENCE: Duration = Duration::from_secs(90);
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(60);

/// What to run, and where.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Whole seconds a slot.
    pub slot_seconds: u64,
    /// Validators in all, an even number; half of them on each node.
    pub validators: u64,
    /// Where logs and data go.
    pub dir: PathBuf,
    /// The `interlock` program.
    pub interlock: PathBuf,
    /// The folder that the execution client is installed in.
    pub ethereumjs: PathBuf,
}

/// A node, its engine, and how both are asked.
struct Pair {
    name: String,
    api: Api,
    engine_name: String,
    engine_dir: PathBuf,
    engine: Engine,
    rpc: Rpc,
}

struct Drill<'a> {
    spec: &'static Spec,
    genesis_time: u64,
    account: Account,
    pairs: Vec<Pair>,
    processes: Processes,
    /// The last slot in which a transaction was sent.
    paid: Option<Slot>,
    tell: &'a mut dyn FnMut(&str),
}

/// Runs the drill. An error says what was not seen; logs are in the folder then as well.
pub async fn run_engines(options: &EngineOptions, tell: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    ensure!(options.validators >= 16 && options.validators.is_multiple_of(2), "validators: 16 or more, even");
    let program = Peer::Ethereumjs.program(&options.ethereumjs);
    ensure!(
        program.is_file(),
        "there is no {}; `interlock interop install-engine` installs it",
        program.display()
    );
    crate::run::clear(&options.dir)?;
    let mut drill = Drill {
        spec: network::rules(options.slot_seconds, options.validators, &UPGRADES)?,
        genesis_time: unix_now() + GENESIS_DELAY_SECONDS,
        account: Account::funded()?,
        pairs: Vec::new(),
        processes: Processes::new(),
        paid: None,
        tell,
    };
    let result = drill.run(options, &program).await;
    let Drill { mut processes, .. } = drill;
    // Stopping waits for processes, which must not hold up the threads that run everything else.
    let stopped = tokio::task::spawn_blocking(move || processes.stop_all(STOP_TIMEOUT));
    stopped.await.context("a panic while stopping")?;
    result
}

impl Drill<'_> {
    async fn run(&mut self, options: &EngineOptions, program: &Path) -> anyhow::Result<()> {
        let network = self.start(options, program).await?;
        (self.tell)(&format!("two nodes and their execution clients run; {}", network.path().display()));
        self.until_epoch(KILL_IN).await?;
        self.kill_engine().await?;
        self.until_epoch(WIPE_IN).await?;
        self.wipe_until_optimistic().await?;
        self.until_final(GOAL).await?;
        self.check_history(options.validators / 2).await
    }

    /// Starts everything: the execution clients first, since the genesis state stands on their first block.
    async fn start(&mut self, options: &EngineOptions, program: &Path) -> anyhow::Result<NetworkFolder> {
        let mut ports = Ports::anywhere()?;
        std::fs::create_dir_all(options.dir.join("network"))?;
        let genesis = options.dir.join("execution-genesis.json");
        let text = ethereumjs::genesis(self.spec, self.genesis_time, self.account.address).to_string();
        std::fs::write(&genesis, text).with_context(|| genesis.display().to_string())?;
        for number in 1..=2 {
            let engine_name = format!("ethereumjs-{number}");
            let engine_dir = options.dir.join(&engine_name);
            std::fs::create_dir_all(&engine_dir).with_context(|| engine_dir.display().to_string())?;
            let place = (engine_name.as_str(), engine_dir.as_path());
            let (engine, process) = ethereumjs::process(program, place, &genesis, ports.node()?)?;
            self.processes.start(process)?;
            let rpc = Rpc::new(&engine.rpc_url)?;
            let name = format!("interlock-{number}");
            let api = Api::new(&format!("http://127.0.0.1:{}", ports.free()?));
            self.pairs.push(Pair { name, api, engine_name, engine_dir, engine, rpc });
        }
        let first = self.first_block().await?;
        let of_genesis = (options.validators, self.genesis_time);
        let network = network::write(&options.dir.join("network"), self.spec, of_genesis, first)?;
        let half = options.validators / 2;
        for place in 0..self.pairs.len() {
            self.start_node(options, &network, place, &mut ports).await?;
            self.start_validators(options, &network, place, half * place as u64..half * (place as u64 + 1))?;
        }
        Ok(network)
    }

    /// The first block, on which both execution clients must agree.
    async fn first_block(&mut self) -> anyhow::Result<Root> {
        let mut hashes = Vec::new();
        for place in 0..self.pairs.len() {
            let started = Instant::now();
            let hash = loop {
                self.all_alive()?;
                match self.pairs[place].rpc.block_hash(0).await {
                    Ok(hash) => break hash,
                    Err(error) if started.elapsed() > PATIENCE => {
                        return Err(error).context(self.pairs[place].engine_name.clone());
                    }
                    Err(_) => tokio::time::sleep(POLL).await,
                }
            };
            hashes.push(hash);
        }
        ensure!(hashes[0] == hashes[1], "the execution clients begin with different blocks: {hashes:?}");
        Ok(hashes[0])
    }

    fn seat(
        &self,
        options: &EngineOptions,
        network: &NetworkFolder,
        name: &str,
        ports: &mut Ports,
    ) -> anyhow::Result<ForeignSeat> {
        let dir = options.dir.join(name);
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        Ok(ForeignSeat {
            name: name.to_owned(),
            network: network.clone(),
            spec: self.spec,
            genesis_time: self.genesis_time,
            genesis_validators: options.validators,
            dir,
            ports: ports.node()?,
            bootnodes: Vec::new(),
            beacon_urls: Vec::new(),
            beacon: 0,
            validators: 0..0,
        })
    }

    async fn start_node(
        &mut self,
        options: &EngineOptions,
        network: &NetworkFolder,
        place: usize,
        ports: &mut Ports,
    ) -> anyhow::Result<()> {
        let name = self.pairs[place].name.clone();
        let mut seat = self.seat(options, network, &name, ports)?;
        if place > 0 {
            let identity = self.pairs[0].api.identity().await?;
            seat.bootnodes =
                vec![identity["enr"].as_str().context("the first node has no record")?.to_owned()];
        }
        self.processes.start(interlock::beacon(
            &options.interlock,
            &seat,
            Some(&self.pairs[place].engine),
        ))?;
        self.pairs[place].api = Api::new(&format!("http://127.0.0.1:{}", seat.ports.http));
        let started = Instant::now();
        while let Err(error) = self.pairs[place].api.identity().await {
            self.all_alive()?;
            if started.elapsed() > PATIENCE {
                bail!("{name} does not answer: {error}");
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    fn start_validators(
        &mut self,
        options: &EngineOptions,
        network: &NetworkFolder,
        place: usize,
        range: std::ops::Range<u64>,
    ) -> anyhow::Result<()> {
        let name = format!("validators-{}", place + 1);
        let mut seat = self.seat(options, network, &name, &mut Ports::anywhere()?)?;
        seat.beacon_urls = vec![self.pairs[place].api.url().to_owned()];
        seat.validators = range;
        self.processes.start(interlock::validator(&options.interlock, &seat))
    }

    fn all_alive(&mut self) -> anyhow::Result<()> {
        match self.processes.died() {
            Some(death) => bail!("{death}"),
            None => Ok(()),
        }
    }

    fn slot(&self) -> Slot {
        let seconds = unix_now().saturating_sub(self.genesis_time);
        Slot(seconds * 1000 / self.spec.config.slot_duration_ms)
    }

    /// One transfer a slot, to both execution clients: whichever builds the next block has it.
    async fn pay(&mut self) -> anyhow::Result<()> {
        let slot = self.slot();
        if self.paid.replace(slot) == Some(slot) {
            return Ok(());
        }
        let nonce = self.pairs[0].rpc.transactions_of(self.account.address).await?;
        let to = ExecutionAddress::from([0x11; 20]);
        // The same for the same number: until it is in a block, it is sent again as it was.
        let transfer = self.account.transfer(CHAIN_ID, nonce, to, nonce + 1);
        self.pairs[0].rpc.send(&transfer).await?;
        // The second one may be dead, or behind and without the money.
        let _ = self.pairs[1].rpc.send(&transfer).await;
        Ok(())
    }

    /// Waits until a condition holds, while money is sent and nothing dies.
    async fn until(
        &mut self,
        what: &str,
        patience: Duration,
        mut holds: impl AsyncFnMut(&[Pair]) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            self.all_alive()?;
            self.pay().await?;
            if holds(&self.pairs).await? {
                return Ok(());
            }
            if started.elapsed() > patience {
                bail!("not within {} s: {what}\n{}", patience.as_secs(), self.tails());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn tails(&self) -> String {
        let mut lines = Vec::new();
        for plan in self.processes.names().filter_map(|name| self.processes.plan(name)) {
            lines.push(format!("the end of {}:", plan.log.display()));
            lines.extend(log_tail(&plan.log, 6).into_iter().map(|line| format!("    {line}")));
        }
        lines.join("\n")
    }

    async fn until_epoch(&mut self, epoch: Epoch) -> anyhow::Result<()> {
        let begin =
            self.genesis_time + epoch.start_slot(self.spec).0 * self.spec.config.slot_duration_ms / 1000;
        let patience = Duration::from_secs(begin.saturating_sub(unix_now()) + 5);
        self.until("the epoch begins", patience, async |_| Ok(unix_now() >= begin)).await?;
        self.until("both nodes are in step", PATIENCE, async |pairs| in_step(pairs).await).await?;
        let (_, slot) = self.pairs[0].api.header("head").await?;
        (self.tell)(&format!("epoch {epoch}: both nodes have the head of slot {slot}, which is executed"));
        Ok(())
    }

    /// The execution client is killed and started again with its database.
    async fn kill_engine(&mut self) -> anyhow::Result<()> {
        let name = self.pairs[1].engine_name.clone();
        self.processes.kill(&name)?;
        (self.tell)(&format!("{name} was killed"));
        let offline = async |pairs: &[Pair]| Ok(pairs[1].api.syncing().await?.el_offline);
        self.until("the node says that its engine is offline", PATIENCE, offline).await?;
        self.processes.restart(&name)?;
        (self.tell)(&format!("the node said so; {name} was started again"));
        self.until("the node is in step again", PATIENCE, async |pairs| in_step(pairs).await).await
    }

    /// A node gives a wiped client its payloads again within a second or two, and may be done before the next block comes.
    /// So it is done again until a block has come in between; the node has to be back each time.
    async fn wipe_until_optimistic(&mut self) -> anyhow::Result<()> {
        for wipe in 1..=WIPES_MAX {
            let was_optimistic = self.wipe_engine().await?;
            let name = &self.pairs[1].engine_name;
            let how = if was_optimistic { "optimistic in between" } else { "not optimistic in between" };
            (self.tell)(&format!("wipe {wipe}: the node is back, {how}, and {name} has executed its head"));
            if was_optimistic {
                return Ok(());
            }
        }
        bail!("the node never followed its head optimistically, in {WIPES_MAX} wipes")
    }

    /// The execution client is killed, loses its database, and is started again: it knows nothing but its first block,
    /// and has nobody to ask but its node. True where the node was seen to follow its head optimistically.
    async fn wipe_engine(&mut self) -> anyhow::Result<bool> {
        let (name, dir) = (self.pairs[1].engine_name.clone(), self.pairs[1].engine_dir.clone());
        self.processes.kill(&name)?;
        let data = ethereumjs::data_dir(&dir);
        std::fs::remove_dir_all(&data).with_context(|| data.display().to_string())?;
        self.processes.restart(&name)?;
        (self.tell)(&format!("{name} was killed and its database removed; it was started again"));
        let mut was_optimistic = false;
        let back = async |pairs: &[Pair]| {
            was_optimistic |= pairs[1].api.syncing().await?.is_optimistic;
            in_step(pairs).await
        };
        self.until("the node is in step again", PATIENCE, back).await?;
        Ok(was_optimistic)
    }

    async fn until_final(&mut self, goal: Epoch) -> anyhow::Result<()> {
        let patience = Duration::from_millis(
            (goal + 6).start_slot(self.spec).0.saturating_sub(self.slot().0)
                * self.spec.config.slot_duration_ms,
        );
        let is_final = async |pairs: &[Pair]| {
            for pair in pairs {
                let (_, finalized) = pair.api.finality_checkpoints("head").await?;
                if finalized.epoch < goal {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        self.until("both nodes finalize the goal", patience, is_final).await?;
        (self.tell)(&format!("both nodes have finalized epoch {goal}"));
        Ok(())
    }

    async fn check_history(&mut self, half: u64) -> anyhow::Result<()> {
        let until = GOAL.start_slot(self.spec);
        for slot in [until, Slot(until.0 / 2)] {
            let id = slot.to_string();
            let roots = (self.pairs[0].api.header(&id).await.ok(), self.pairs[1].api.header(&id).await.ok());
            ensure!(roots.0 == roots.1, "the nodes differ at slot {slot}: {roots:?}");
        }
        let forks = history::read(&self.pairs[0].api, self.spec, until, half).await?;
        for fork in [ForkName::Capella, ForkName::Deneb, ForkName::Electra] {
            let of_fork = forks.get(&fork).copied().unwrap_or_default();
            let [first, second] = of_fork.blocks;
            (self.tell)(&format!(
                "{fork}: {first} and {second} blocks of the two nodes, {} transactions",
                of_fork.transactions
            ));
            ensure!(first > 0 && second > 0, "{fork}: a node has proposed no block");
            ensure!(of_fork.transactions > 0, "{fork}: no transaction is in the chain");
        }
        Ok(())
    }
}

/// Both nodes have the same head, neither follows it optimistically, and both execution clients have its block.
async fn in_step(pairs: &[Pair]) -> anyhow::Result<bool> {
    let mut heads = Vec::new();
    for pair in pairs {
        let syncing = pair.api.syncing().await?;
        if syncing.is_optimistic || syncing.el_offline {
            return Ok(false);
        }
        heads.push(pair.api.header("head").await?);
    }
    if heads[0] != heads[1] || heads[0].1 == Slot(0) {
        return Ok(false);
    }
    let spec_head = pairs[0].api.get("/eth/v2/beacon/blocks/head").await?;
    let hash = spec_head["data"]["message"]["body"]["execution_payload"]["block_hash"].as_str();
    let hash: Root = hash.and_then(|hash| hash.parse().ok()).context("the head has no payload")?;
    for pair in pairs {
        if !pair.rpc.has_block(hash).await? {
            return Ok(false);
        }
    }
    Ok(true)
}
