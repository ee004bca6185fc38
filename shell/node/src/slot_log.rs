//! What happens once a slot: a line in the log, and the upkeep of subscriptions and record.

use std::collections::BTreeSet;
use std::sync::Arc;

use chain::{Command, GenesisInfo, View};
use data_availability::columns::compute_subnet_for_data_column_sidecar;
use execution::Engines;
use network::{Announcement, ForkSchedule, Subnet, Subscriptions, TOPICS_AHEAD_EPOCHS, Topic, topics_at};
use sync::SyncState;
use types::{ForkName, Root, Slot, Spec, Time};

use crate::column_peers::ColumnPeers;
use crate::custody::OwnCustody;
use crate::mailbox::Mailbox;
use crate::metrics::NodeMetrics;
use crate::outbox::{Outbox, ToNetwork};
use crate::peers::Peers;
use crate::published::Published;
use crate::status::earliest_available_slot;
use crate::subnets::Subnets;
use crate::wire_message::is_used;
use crate::{clock, execution_state};

/// What the slot's task needs of the node.
pub struct EverySlot {
    /// The network's rules.
    pub spec: &'static Spec,
    /// The network's forks.
    pub schedule: Arc<ForkSchedule>,
    /// Facts of genesis.
    pub genesis: GenesisInfo,
    /// What the core shows.
    pub published: Arc<Published>,
    /// Who is connected.
    pub peers: Arc<Peers>,
    /// The way to the network.
    pub outbox: Outbox,
    /// Which subnets to hear.
    pub subnets: Arc<Subnets>,
    /// Which columns to keep.
    pub custody: Arc<OwnCustody>,
    /// The way to the core.
    pub mailbox: Mailbox,
    /// The execution engines, where there are any.
    pub engines: Option<Arc<Engines>>,
    /// What the node tells of itself, part of which is computed once a slot.
    pub metrics: Arc<NodeMetrics>,
}

impl EverySlot {
    /// Runs until it is dropped.
    pub async fn run(self) {
        let mut topics = BTreeSet::new();
        let mut announced = None;
        let mut earliest = None;
        let mut column_peers = ColumnPeers::default();
        loop {
            let slot = clock::slot_at(self.spec, self.genesis.time, clock::now());
            self.grow_custody(slot).await;
            self.subscribe(slot, &mut topics);
            self.announce(slot, &mut announced);
            self.tell_earliest(&mut earliest);
            self.look_for_columns(slot, &mut column_peers);
            if clock::now() < self.genesis.time {
                self.wait_for_genesis().await;
                continue;
            }
            // In the middle of the slot its block has come, if it is to come in time.
            let half = self.spec.config.slot_duration_ms / 2;
            tokio::time::sleep(clock::until(self.start_of(slot).after_ms(half))).await;
            self.log(slot).await;
            tokio::time::sleep(clock::until(self.start_of(slot + 1))).await;
        }
    }

    /// A line, and the time of a slot, or less where genesis comes first.
    async fn wait_for_genesis(&self) {
        let now = clock::now();
        let seconds = self.genesis.time.since(now) / 1000;
        tracing::info!(seconds, peers = self.peers.count(), "waiting for genesis");
        let later = now.after_ms(self.spec.config.slot_duration_ms);
        tokio::time::sleep(clock::until(later.min(self.genesis.time))).await;
    }

    fn start_of(&self, slot: Slot) -> Time {
        self.genesis.time.after_ms(slot.0.saturating_mul(self.spec.config.slot_duration_ms))
    }

    /// Joins and leaves topics. Those of a fork are joined before it and left after it.
    fn subscribe(&self, slot: Slot, joined: &mut BTreeSet<String>) {
        let epoch = slot.epoch(self.spec);
        let subscriptions = Subscriptions {
            attestation: self.subnets.wanted(slot),
            sync: self.subnets.sync(epoch),
            columns: self.custody.current().subnets(self.spec),
            ..Subscriptions::default()
        };
        let has_use = |name: &String| Topic::parse(name).is_some_and(|(_, topic)| is_used(topic));
        let mut wanted = topics_at(&self.schedule, epoch, &subscriptions);
        wanted.retain(has_use);
        for topic in wanted.difference(joined) {
            self.outbox.send(ToNetwork::Subscribe(topic.clone()));
        }
        for topic in joined.difference(&wanted) {
            self.outbox.send(ToNetwork::Unsubscribe(topic.clone()));
        }
        *joined = wanted;
    }

    /// Brings metadata and record up to date.
    fn announce(&self, slot: Slot, announced: &mut Option<Announcement>) {
        let epoch = slot.epoch(self.spec);
        self.subnets.refresh(epoch);
        let (metadata_seq, attnets, syncnets) = self.subnets.metadata();
        let groups = self.custody.current().groups;
        let announcement = Announcement {
            metadata_seq,
            attnets,
            syncnets,
            custody_group_count: self.schedule.is_scheduled(ForkName::Fulu).then_some(groups),
            eth2: self.schedule.enr_fork_id(epoch),
            next_fork_digest: self.schedule.next_fork_digest(epoch),
        };
        if *announced != Some(announcement) {
            self.outbox.send(ToNetwork::Announce(announcement));
            *announced = Some(announcement);
        }
    }

    /// Tells peers from which slot on we serve everything.
    fn tell_earliest(&self, told: &mut Option<Slot>) {
        let earliest = earliest_available_slot(&self.published.view(), self.custody.current().since);
        if *told != Some(earliest) {
            self.outbox.send(ToNetwork::SetEarliestSlot(earliest));
            *told = Some(earliest);
        }
    }

    /// Takes more columns in custody where the validators that use the node make it so. From then on the chain waits for
    /// them, and peers hear of it.
    async fn grow_custody(&self, slot: Slot) {
        if !self.schedule.is_scheduled(ForkName::Fulu) {
            return;
        }
        let view = self.published.view();
        let finalized = view.finalized_state.as_ref().unwrap_or(&view.head.state);
        let grown = match self.custody.grow(finalized, slot) {
            Ok(Some(grown)) => grown,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, "the custody of more columns cannot be written down");
                return;
            }
        };
        tracing::info!(groups = grown.groups, since = grown.since.0, "more columns are in custody");
        self.subnets.changed();
        self.outbox.send(ToNetwork::SetColumnSubnets(grown.subnets(self.spec)));
        // The core ends before this task where the node stops.
        let _ = self.mailbox.command(Command::SetCustody(grown.columns.clone())).await;
    }

    /// Looks for peers of columns that we sample and nobody has, once they are needed.
    fn look_for_columns(&self, slot: Slot, column_peers: &mut ColumnPeers) {
        let epoch = slot.epoch(self.spec);
        let begins = self.spec.fork_epoch(ForkName::Fulu);
        if begins > epoch.saturating_add(TOPICS_AHEAD_EPOCHS) {
            return;
        }
        let sampled = &self.custody.current().columns;
        let missing = self.peers.columns_without_peer(sampled);
        let subnets: BTreeSet<u64> =
            missing.iter().map(|column| compute_subnet_for_data_column_sidecar(self.spec, *column)).collect();
        for subnet in subnets {
            self.outbox.send(ToNetwork::Discover(Subnet::DataColumn(subnet)));
        }
        if begins <= epoch && clock::now() >= self.genesis.time {
            column_peers.tell(self.spec, sampled.len(), &missing);
        }
    }

    async fn log(&self, slot: Slot) {
        let view = self.published.view();
        let (metrics, sampled) = (self.metrics.clone(), view.clone());
        let sample = tokio::task::spawn_blocking(move || metrics.sample(&sampled, slot)).await;
        let participation = sample.ok().and_then(|sample| sample.participation_percent());
        tracing::info!(
            slot = slot.0,
            epoch = slot.epoch(self.spec).0,
            head_slot = view.head.slot.0,
            head = short(&view.head.root),
            justified = view.justified.epoch.0,
            finalized = view.finalized.epoch.0,
            finalized_root = short(&view.finalized.root),
            peers = self.peers.count(),
            participation = participation.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1}%")),
            sync = sync_text(self.published.sync(), &view, slot),
            execution = execution_state::text(self.engines.as_deref(), &view),
            "slot"
        );
    }
}

fn short(root: &Root) -> String {
    format!("0x{}", hex::encode(&root.0[..4]))
}

fn sync_text(state: SyncState, view: &View, slot: Slot) -> String {
    match state {
        SyncState::Syncing { distance, .. } => format!("{distance} behind"),
        SyncState::Synced if view.head.slot == slot => "synced".to_owned(),
        SyncState::Synced => format!("synced, no block for {} slots", slot.saturating_sub(view.head.slot)),
    }
}
