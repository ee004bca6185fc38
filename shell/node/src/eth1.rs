//! The follower of the deposit contract, wired in: what is finalized goes to it, what it has read goes to the chain, and
//! what a restart can begin with into a file beside the database.
//!
//! It runs only where it has a use: with an execution engine, and until the network takes deposits from the execution
//! layer itself (EIP-6110).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deposits::{Consumed, DepositTreeSnapshot, Eth1Chain, Follower, Origin};
use execution::{Engines, FollowLinks};
use tokio::sync::watch;
use types::{BeaconState, Spec};

use crate::mailbox::{Mailbox, Refused, Urgent};
use crate::published::Published;

/// The file with the deposits that are final.
const SNAPSHOT_FILE: &str = "deposit_snapshot.ssz";
/// How long something that the core has no room for waits.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

/// What the follower is connected with.
pub struct Eth1Task {
    /// The network's rules.
    pub spec: &'static Spec,
    /// The genesis state.
    pub genesis: Arc<BeaconState>,
    /// The first block that can have a deposit.
    pub deposit_block: u64,
    /// The engines.
    pub engines: Arc<Engines>,
    /// What the core shows.
    pub published: Arc<Published>,
    /// The way to the core.
    pub mailbox: Mailbox,
    /// The node's data folder.
    pub data_dir: PathBuf,
    /// True where the node ends.
    pub stop: watch::Receiver<bool>,
}

impl Eth1Task {
    /// Follows the contract until nobody needs its deposits any more, or until the node stops.
    pub async fn run(self) {
        let head = self.published.view().head.state.clone();
        if Consumed::of(&head).is_over {
            return;
        }
        let Some(follower) = self.follower() else { return };
        let (consumed_in, consumed) = watch::channel(None);
        let (on_change, changed) = watch::channel(None);
        let links = FollowLinks {
            contract: self.spec.config.deposit_contract_address,
            consumed,
            on_change,
            stop: self.stop.clone(),
        };
        tokio::select! {
            // It ends when the others have nothing to do any more.
            () = execution::follow(&self.engines, follower, links) => {}
            () = self.tell_finalized(consumed_in) => {}
            () = self.hand_over(changed) => {}
        }
    }

    fn follower(&self) -> Option<Follower> {
        let number = self.genesis.latest_execution_payload_header.block_number;
        let origin = match DepositTreeSnapshot::of_genesis(&self.genesis, number) {
            Some(snapshot) => Origin::Snapshot(snapshot),
            None => Origin::Deployed { block: self.deposit_block },
        };
        let stored = match std::fs::read(self.data_dir.join(SNAPSHOT_FILE)) {
            Ok(bytes) => DepositTreeSnapshot::from_bytes(&bytes)
                .map_err(|error| {
                    tracing::warn!("{SNAPSHOT_FILE}: {error}: deposits are read from the beginning")
                })
                .ok(),
            Err(_) => None,
        };
        let follower = Follower::new(self.spec, self.genesis.genesis_time, origin, stored);
        follower.map_err(|error| tracing::error!("the deposit contract cannot be followed: {error}")).ok()
    }

    /// Tells the follower what is finalized, whenever that is another state.
    async fn tell_finalized(&self, consumed: watch::Sender<Option<Consumed>>) {
        let slot = Duration::from_millis(self.spec.config.slot_duration_ms);
        let mut told = None;
        loop {
            let view = self.published.view();
            if let Some(state) = view.finalized_state.as_ref().filter(|_| told != Some(view.finalized.epoch))
            {
                told = Some(view.finalized.epoch);
                consumed.send_replace(Some(Consumed::of(state)));
            }
            tokio::time::sleep(slot).await;
        }
    }

    /// Gives the chain what was followed, and stores what of it is final.
    async fn hand_over(&self, mut changed: watch::Receiver<Option<Arc<Eth1Chain>>>) {
        let mut stored = None;
        while changed.changed().await.is_ok() {
            let Some(followed) = changed.borrow_and_update().clone() else { continue };
            while let Err(refused) = self.mailbox.urgent(Urgent::Eth1(followed.clone())) {
                if refused == Refused::Closed {
                    return;
                }
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            let snapshot =
                followed.tree().get_snapshot().filter(|snapshot| stored.as_ref() != Some(snapshot));
            if let Some(snapshot) = snapshot {
                if let Err(error) = store(&self.data_dir, &snapshot) {
                    tracing::warn!("{SNAPSHOT_FILE}: {error}: after a restart deposits are read again");
                }
                stored = Some(snapshot);
            }
        }
        // The follower has ended; so does the task, through its branch.
        std::future::pending::<()>().await;
    }
}

/// Replaces the file as a whole, so that a crash leaves the old one or the new one.
fn store(data_dir: &Path, snapshot: &DepositTreeSnapshot) -> std::io::Result<()> {
    let new = data_dir.join(format!("{SNAPSHOT_FILE}.new"));
    let file = std::fs::File::create(&new)?;
    std::io::Write::write_all(&mut &file, &snapshot.to_bytes())?;
    file.sync_all()?;
    std::fs::rename(new, data_dir.join(SNAPSHOT_FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_snapshot_is_read_again_and_replaces_the_one_before() {
        let genesis = crate::fixture::World::new().loads.genesis_state.clone();
        let snapshot = DepositTreeSnapshot::of_genesis(&genesis, 7).unwrap();
        let dir = std::env::temp_dir().join(format!("interlock-deposits-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for _ in 0..2 {
            store(&dir, &snapshot).unwrap();
            let bytes = std::fs::read(dir.join(SNAPSHOT_FILE)).unwrap();
            assert_eq!(DepositTreeSnapshot::from_bytes(&bytes).unwrap(), snapshot);
        }
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1, "nothing else is left behind");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
