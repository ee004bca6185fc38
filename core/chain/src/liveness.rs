//! Who was seen attesting lately: what a validator asks before it starts, lest it runs twice.

use std::sync::Arc;

use types::{Epoch, ValidatorIndex};

/// Epochs that are remembered.
const EPOCHS: usize = 3;

/// Validators seen attesting in the last [`EPOCHS`] epochs, one bit each. Bounded by the registry.
#[derive(Clone, Debug, Default)]
pub struct Liveness {
    epochs: [(Epoch, Arc<Vec<u64>>); EPOCHS],
}

impl Liveness {
    /// Remembers that the validator attested in an epoch; an epoch older than those remembered is dropped.
    pub(crate) fn saw(&mut self, epoch: Epoch, validator: ValidatorIndex) {
        let cell = &mut self.epochs[epoch.as_usize() % EPOCHS];
        if epoch < cell.0 {
            return;
        }
        if epoch > cell.0 {
            *cell = (epoch, Arc::default());
        }
        let (word, bit) = (validator.as_usize() / 64, validator.0 % 64);
        if cell.1.get(word).is_some_and(|bits| bits >> bit & 1 == 1) {
            return;
        }
        let words = Arc::make_mut(&mut cell.1);
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        words[word] |= 1 << bit;
    }

    /// True where the validator was seen attesting in the epoch, which must be one of the last three.
    pub fn is_live(&self, epoch: Epoch, validator: ValidatorIndex) -> bool {
        let (of, words) = &self.epochs[epoch.as_usize() % EPOCHS];
        *of == epoch
            && words.get(validator.as_usize() / 64).is_some_and(|bits| bits >> (validator.0 % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validators_are_live_in_the_epochs_in_which_they_attested() {
        let mut liveness = Liveness::default();
        liveness.saw(Epoch(4), ValidatorIndex(70));
        liveness.saw(Epoch(5), ValidatorIndex(1));
        assert!(liveness.is_live(Epoch(4), ValidatorIndex(70)));
        assert!(!liveness.is_live(Epoch(5), ValidatorIndex(70)));
        assert!(!liveness.is_live(Epoch(4), ValidatorIndex(6)));
        assert!(!liveness.is_live(Epoch(1), ValidatorIndex(70)));
    }

    #[test]
    fn an_old_epoch_makes_room_and_does_not_come_back() {
        let mut liveness = Liveness::default();
        liveness.saw(Epoch(4), ValidatorIndex(7));
        liveness.saw(Epoch(7), ValidatorIndex(8));
        liveness.saw(Epoch(4), ValidatorIndex(9));
        assert!(!liveness.is_live(Epoch(4), ValidatorIndex(7)));
        assert!(!liveness.is_live(Epoch(4), ValidatorIndex(9)));
        assert!(liveness.is_live(Epoch(7), ValidatorIndex(8)));
    }
}
