//! Who is in the sync committee, as a node's API tells its validators.

use chain::View;
use chain::gossip::compute_sync_committee_period;
use transition::process_slots;
use types::{BeaconState, Epoch, ForkName, ValidatorIndex};
use validator::SyncDuty;

/// Which of these validators are in the sync committee of an epoch of this period or the next, and where; nobody before
/// Altair.
pub fn sync_duties(
    view: &View,
    epoch: Epoch,
    validators: &[ValidatorIndex],
) -> Result<Vec<SyncDuty>, String> {
    let spec = view.spec;
    let now = view.current_slot.epoch(spec);
    if spec.fork_name_at_epoch(epoch) < ForkName::Altair {
        return Ok(Vec::new());
    }
    if spec.fork_name_at_epoch(now) < ForkName::Altair {
        return Err("the first sync committee is not drawn yet".to_owned());
    }
    let period = |epoch| compute_sync_committee_period(spec, epoch);
    let is_ready = |state: &BeaconState| {
        state.fork_name() >= ForkName::Altair && period(state.slot.epoch(spec)) == period(now)
    };
    let near = [Some(&view.head.state), view.head.advanced.as_ref()];
    let state = match near.into_iter().flatten().find(|state| is_ready(state)) {
        Some(state) => state.clone(),
        None => {
            let mut state = (*view.head.state).clone();
            process_slots(&mut state, now.start_slot(spec)).map_err(|error| error.to_string())?;
            state.into()
        }
    };
    let committee = match period(epoch).checked_sub(period(now)) {
        Some(0) => &state.current_sync_committee,
        Some(1) => &state.next_sync_committee,
        _ => return Err(format!("the committee of epoch {epoch} is not known in epoch {now}")),
    };
    let mut duties = Vec::new();
    for index in validators {
        let Some(validator) = state.validators.get(index.as_usize()) else { continue };
        let keys = committee.pubkeys.iter().zip(0u64..);
        let places: Vec<u64> =
            keys.filter(|(key, _)| **key == validator.pubkey).map(|(_, place)| place).collect();
        if !places.is_empty() {
            duties.push(SyncDuty { pubkey: validator.pubkey, validator_index: *index, places });
        }
    }
    Ok(duties)
}
