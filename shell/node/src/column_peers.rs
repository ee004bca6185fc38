//! What the log says of columns that no peer has: little, and only what lasts.

use std::collections::BTreeSet;

use data_availability::ColumnIndex;
use types::Spec;

/// Slots for which columns must be without a peer before the log says so: peers come and go, and take a while to say
/// what they have.
const PATIENCE_SLOTS: u32 = 8;

/// Remembers what was said.
#[derive(Debug, Default)]
pub struct ColumnPeers {
    slots: u32,
    is_told: bool,
}

/// What there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// Blocks with blobs cannot be imported.
    Lacking,
    /// The columns without a peer can be made from the others.
    Recoverable,
    /// Every column has a peer again.
    Over,
}

impl ColumnPeers {
    /// Once a slot: tells how it stands with the columns of which so many are sampled, where that has changed for good.
    pub fn tell(&mut self, spec: &Spec, sampled: usize, missing: &BTreeSet<ColumnIndex>) {
        let (columns, first) = (missing.len(), missing.first());
        match self.news(spec, sampled, columns) {
            Some(News::Lacking) => tracing::warn!(columns, first, "no peer has columns that we sample"),
            Some(News::Recoverable) => {
                tracing::info!(columns, first, "no peer has these columns; they are made from the others");
            }
            Some(News::Over) => tracing::info!("every column that we sample has a peer"),
            None => {}
        }
    }

    fn news(&mut self, spec: &Spec, sampled: usize, missing: usize) -> Option<News> {
        if missing == 0 {
            self.slots = 0;
            return std::mem::take(&mut self.is_told).then_some(News::Over);
        }
        self.slots = self.slots.saturating_add(1);
        if self.is_told || self.slots < PATIENCE_SLOTS {
            return None;
        }
        self.is_told = true;
        let half = spec.preset.number_of_columns.div_ceil(2) as usize;
        Some(if sampled - missing >= half { News::Recoverable } else { News::Lacking })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lasts_is_told_and_only_once() {
        let (spec, mut peers) = (Spec::minimal(), ColumnPeers::default());
        let mut news = |missing: &[usize]| -> Vec<News> {
            missing.iter().filter_map(|missing| peers.news(spec, 8, *missing)).collect()
        };
        assert_eq!(news(&[8, 3, 2, 1, 0, 8, 8, 8, 8, 8, 8, 8, 0]), [], "it has not lasted");
        assert_eq!(news(&[1, 2, 3, 4, 5, 6, 7, 8, 1, 8, 3, 5, 1]), [News::Lacking]);
        assert_eq!(news(&[0, 0, 0]), [News::Over]);
    }

    #[test]
    fn a_supernode_makes_what_it_lacks_while_it_has_half() {
        let spec = Spec::minimal();
        let last = |missing| {
            let mut peers = ColumnPeers::default();
            (0..PATIENCE_SLOTS).filter_map(|_| peers.news(spec, 128, missing)).last()
        };
        assert_eq!((last(64), last(65)), (Some(News::Recoverable), Some(News::Lacking)));
    }
}
