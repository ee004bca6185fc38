//! What the core thread shows to everyone else.

use std::sync::Arc;

use arc_swap::ArcSwap;
use chain::View;
use sync::SyncState;

/// What the core thread shows to everyone else; reading it costs one atomic load and never waits.
#[derive(Debug)]
pub struct Published {
    view: ArcSwap<View>,
    sync: ArcSwap<SyncState>,
}

impl Published {
    /// Shows a first view.
    pub fn new(view: Arc<View>) -> Self {
        Self { view: ArcSwap::new(view), sync: ArcSwap::from_pointee(SyncState::Synced) }
    }

    /// The newest view.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// How far behind sync thinks we are.
    pub fn sync(&self) -> SyncState {
        **self.sync.load()
    }

    /// Shows a view.
    pub fn show_view(&self, view: Arc<View>) {
        self.view.store(view);
    }

    /// Shows the state of sync.
    pub fn show_sync(&self, state: SyncState) {
        self.sync.store(Arc::new(state));
    }
}
