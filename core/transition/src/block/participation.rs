//! Participation flags while a block's attestations set them.
//!
//! The attestations of a block write tens of thousands of flags all over the registry. One by one, each would make its
//! page of the state's list the state's own. So where they are many the flags are taken out of the list, as one flat
//! array that stays in the processor's cache, and what changed is put back page by page.

use types::{BeaconState, Gwei, List, ValidatorIndex};

use crate::accessors::AccessError;

/// With so many bits of attestations a validator (one for 16) flags are taken out of their lists.
const FLAT_FROM: usize = 16;

/// The flags of the current and the previous epoch.
#[derive(Default)]
pub(crate) struct Participation {
    is_flat: bool,
    /// Flags that were taken out; the current epoch's first.
    flat: [Option<Vec<u8>>; 2],
    /// Who got new flags, by which ones; kept for its room.
    fresh: [Vec<ValidatorIndex>; 8],
}

impl Participation {
    /// For attestations that have so many bits together. [`Participation::put_back`] must follow.
    pub fn for_bits(bits: usize, state: &BeaconState) -> Self {
        Self { is_flat: bits * FLAT_FROM >= state.validators.len(), ..Self::default() }
    }

    /// Sets flags of some validators. Gives the effective balances, in increments, of those for whom some were new,
    /// added up by which flags those are.
    pub fn add(
        &mut self,
        state: &mut BeaconState,
        is_current: bool,
        flags: u8,
        validators: impl Iterator<Item = ValidatorIndex>,
    ) -> Result<[u64; 8], AccessError> {
        self.fresh.iter_mut().for_each(Vec::clear);
        let list = list(state, is_current);
        if self.is_flat {
            let flat = self.flat[usize::from(!is_current)].get_or_insert_with(|| taken_out(list));
            for index in validators {
                let known = flat.get_mut(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
                let new = flags & !*known;
                *known |= new;
                self.fresh[usize::from(new)].push(index);
            }
        } else {
            for index in validators {
                let known = *list.get(index.as_usize()).ok_or(AccessError::NoValidator(index))?;
                let new = flags & !known;
                if new != 0 {
                    list[index.as_usize()] = known | new;
                }
                self.fresh[usize::from(new)].push(index);
            }
        }
        // Balances are read in a loop of their own that writes nothing, so that the processor waits for several of
        // these far places of memory at once.
        let increment = state.spec().preset.effective_balance_increment;
        let balance = |index: &ValidatorIndex| state.validators[index.as_usize()].effective_balance;
        let mut increments = [0; 8];
        for (sum, indices) in increments.iter_mut().zip(&self.fresh).skip(1) {
            let all = indices.iter().map(|index| balance(index) / increment);
            let total = all.map(|Gwei(increments)| increments).try_fold(0u64, u64::checked_add);
            *sum = total.ok_or(AccessError::Overflow("a proposer's reward"))?;
        }
        Ok(increments)
    }

    /// Puts back what was taken out.
    pub fn put_back(self, state: &mut BeaconState) {
        for (flat, is_current) in self.flat.into_iter().zip([true, false]) {
            let Some(flat) = flat else { continue };
            list(state, is_current).for_each_page(|start, mut page| {
                let flags = &flat[start..start + page.items().len()];
                if page.items() != flags {
                    page.write().copy_from_slice(flags);
                }
            });
        }
    }
}

fn list(state: &mut BeaconState, is_current: bool) -> &mut List<u8> {
    if is_current { &mut state.current_epoch_participation } else { &mut state.previous_epoch_participation }
}

fn taken_out(list: &List<u8>) -> Vec<u8> {
    let mut flat = Vec::with_capacity(list.len());
    list.slices().for_each(|page| flat.extend_from_slice(page));
    flat
}
