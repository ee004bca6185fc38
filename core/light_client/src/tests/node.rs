//! What a full node keeps.

use std::sync::Arc;

use ssz::SszExt;
use types::{ForkName, LightClientUpdate, Root, Slot};

use crate::collection::{LightClientData, Limits};
use crate::fixture::{MEMBERS, Made, chain, child, data, extend, genesis, spec};
use crate::{
    Fresh, NoData, create_light_client_bootstrap, create_light_client_finality_update,
    create_light_client_update, is_finality_update, is_sync_committee_update,
};

fn update(block: &Made, attested: &Made, finalized: Option<&Made>) -> Result<LightClientUpdate, NoData> {
    let finalized = finalized.map(|made| &made.block);
    create_light_client_update(&block.state, &block.block, &attested.state, &attested.block, finalized)
}

/// The slots that a period's best update attests to and was signed in.
fn best(data: &LightClientData, period: u64) -> Option<(u64, u64)> {
    let update = data.best_update(period)?;
    Some((update.attested_header.beacon.slot.0, update.signature_slot.0))
}

#[test]
fn the_updates_kept_are_those_that_the_specification_makes_of_blocks_and_states() {
    let chain = chain(200, |slot| 1 + (slot as usize * 7) % MEMBERS);
    let mut data = data(&chain[0], Limits::default());
    let mut bests: Vec<Option<LightClientUpdate>> = vec![None; 4];
    for (place, made) in chain.iter().enumerate().skip(1) {
        let attested = &chain[place - 1];
        let root = attested.state.finalized_checkpoint.root;
        let finalized = chain.iter().find(|made| made.root == root).unwrap_or(&chain[0]);
        let new = update(made, attested, Some(finalized)).unwrap();
        extend(&mut data, made);
        let finality = create_light_client_finality_update(&new);
        assert_eq!(data.finality_update().as_deref(), Some(&finality), "{}", made.slot());
        let (period, attested_period) = (made.slot() as usize / 64, attested.slot() as usize / 64);
        assert_eq!(is_sync_committee_update(&new), period == attested_period);
        let is_better = |old: &LightClientUpdate| crate::is_better_update(spec(), &new, old);
        if period == attested_period && bests[period].as_ref().is_none_or(is_better) {
            bests[period] = Some(new);
        }
        for (period, best) in bests.iter().enumerate() {
            assert_eq!(data.best_update(period as u64).as_deref(), best.as_ref(), "{}", made.slot());
        }
    }
    assert!(bests[2].as_ref().is_some_and(is_finality_update));
    // In the form of its fork each is encoded and read again.
    for best in bests.iter().flatten() {
        let ctx = spec().ctx_at_slot(best.attested_header.beacon.slot);
        assert_eq!(LightClientUpdate::from_ssz(&best.to_ssz(ctx), ctx).as_ref(), Ok(best));
    }
}

#[test]
fn another_head_brings_its_own_updates_and_takes_back_those_of_the_old_one() {
    let base = chain(56, |_| 1);
    let mut data = data(&base[0], Limits::default());
    base[1..].iter().for_each(|made| drop(extend(&mut data, made)));
    let fork_point = base.last().unwrap();
    // One branch has votes in both periods, the other none but in its last block.
    let a1 = child(fork_point, 60, 20, None);
    let a2 = child(&a1, 68, 20, None);
    let a3 = child(&a2, 72, 25, None);
    let b1 = child(fork_point, 61, 0, None);
    let b2 = child(&b1, 69, 0, None);
    let b3 = child(&b2, 73, 2, None);
    for made in [&a1, &a2, &a3] {
        extend(&mut data, made);
    }
    let of_a = (best(&data, 0), best(&data, 1));
    assert_eq!(of_a, (Some((56, 60)), Some((68, 72))));
    for made in [&b1, &b2] {
        data.add_block(&made.state, &made.block).unwrap();
    }
    assert_eq!((best(&data, 0), best(&data, 1)), of_a, "imported is not yet selected");
    data.update_head(b2.root, Root::ZERO);
    assert_eq!((best(&data, 0), best(&data, 1)), (Some((0, 4)), None));
    assert_eq!(data.optimistic_update().unwrap().attested_header.beacon.slot, 52);
    extend(&mut data, &b3);
    assert_eq!(best(&data, 1), Some((69, 73)));
    data.update_head(a3.root, Root::ZERO);
    assert_eq!((best(&data, 0), best(&data, 1)), of_a);
    assert_eq!(data.update_head(Root::from([3; 32]), Root::ZERO), Fresh::default(), "an unknown head");
    assert_eq!((best(&data, 0), best(&data, 1)), of_a);
}

#[test]
fn bootstraps_are_made_of_the_last_blocks_of_finalized_epochs() {
    let first = genesis();
    let mut data = data(&first, Limits::default());
    assert!(data.bootstrap(&first.root).is_some());
    // Epochs start at multiples of 8: 15 comes before an empty start, 24 is a start, 26 lies between.
    let mut blocks = vec![first];
    for slot in [3, 15, 17, 24, 26, 33] {
        let made = child(blocks.last().unwrap(), slot, 1, None);
        extend(&mut data, &made);
        blocks.push(made);
    }
    let kept = |data: &LightClientData| -> Vec<u64> {
        blocks.iter().filter(|made| data.bootstrap(&made.root).is_some()).map(Made::slot).collect()
    };
    assert_eq!(kept(&data), [0]);
    let head = blocks.last().unwrap();
    data.update_head(head.root, blocks[4].root);
    assert_eq!(kept(&data), [0, 3, 15, 24]);
    let made = &blocks[2];
    let bootstrap = create_light_client_bootstrap(&made.state, &made.block).unwrap();
    assert_eq!(data.bootstrap(&made.root), Some(Arc::new(bootstrap)));
    data.update_head(head.root, blocks[1].root);
    assert_eq!(kept(&data), [0, 3, 15, 24], "finality does not go back");
    data.update_head(head.root, head.root);
    assert_eq!(kept(&data), [0, 3, 15, 24, 26, 33]);
}

#[test]
fn blocks_and_bootstraps_are_bounded_and_the_oldest_go() {
    let chain = chain(100, |_| 12);
    let mut data = data(&chain[0], Limits { blocks: 5, bootstraps: 3 });
    for made in &chain[1..] {
        data.add_block(&made.state, &made.block).unwrap();
        data.update_head(made.root, Root::ZERO);
    }
    // Blocks from 84 on are known, and they know the best of those that are forgotten.
    assert_eq!((best(&data, 0), best(&data, 1)), (Some((0, 4)), Some((64, 68))));
    data.update_head(chain[25].root, chain[20].root);
    assert!(data.bootstrap(&chain[20].root).is_none(), "it is forgotten, so that it cannot be final");
    for place in [22, 24] {
        data.update_head(chain[25].root, chain[place].root);
    }
    let kept: Vec<u64> =
        chain.iter().filter(|made| data.bootstrap(&made.root).is_some()).map(Made::slot).collect();
    assert_eq!(kept, [0, 88, 96]);
    data.update_head(chain[25].root, chain[25].root);
    assert!(data.bootstrap(&chain[0].root).is_none());
}

#[test]
fn only_what_is_new_is_told() {
    let chain = chain(80, |slot| if slot == 40 || slot == 44 { 8 } else { MEMBERS });
    let mut data = data(&chain[0], Limits::default());
    let mut told = Vec::new();
    for made in &chain[1..] {
        let fresh = extend(&mut data, made);
        assert!(fresh.optimistic_update.is_some());
        let update = fresh.finality_update;
        told.extend(update.map(|update| (update.signature_slot.0, update.finalized_header.beacon.slot.0)));
        assert_eq!(data.update_head(made.root, Root::ZERO), Fresh::default(), "told once");
    }
    // Slot 32 finalizes 8, and is signed in 36; 40 finalizes 16, is signed in 44 by few, and in 48 by most.
    assert_eq!(told, [(36, 8), (44, 16), (48, 16), (52, 24), (60, 32), (68, 40), (76, 48)]);
}

#[test]
fn updates_are_given_from_the_first_that_is_known_up_to_a_gap() {
    let chain = chain(260, |slot| usize::from(slot / 64 != 2));
    let mut data = data(&chain[0], Limits::default());
    chain[1..].iter().for_each(|made| drop(extend(&mut data, made)));
    let periods = |start, count| -> Vec<u64> {
        let updates = data.updates_by_range(start, count);
        updates.iter().map(|update| update.signature_slot.0 / 64).collect()
    };
    assert_eq!(periods(0, 10), [0, 1]);
    assert_eq!(periods(1, 1), [1]);
    assert_eq!(periods(2, u64::MAX), [3, 4]);
    assert_eq!(periods(2, 1), [0u64; 0]);
    assert_eq!(periods(u64::MAX, u64::MAX), [0u64; 0]);
}

#[test]
fn a_restart_goes_on_with_the_updates_that_were_kept() {
    let chain = chain(100, |slot| if slot == 72 { 20 } else { 5 });
    let mut before = data(&chain[0], Limits::default());
    chain[1..].iter().for_each(|made| drop(extend(&mut before, made)));
    let anchor = &chain[20];
    let mut after = data(anchor, Limits::default());
    for period in 0..2 {
        after.restore_best_update((*before.best_update(period).unwrap()).clone());
    }
    for made in &chain[21..] {
        extend(&mut after, made);
    }
    assert_eq!((best(&after, 0), best(&after, 1)), (best(&before, 0), best(&before, 1)));
    assert_eq!(best(&after, 1), Some((68, 72)));
    assert_eq!(after.optimistic_update(), before.optimistic_update());
    // A block that began elsewhere cannot say what was final before.
    assert!(after.finality_update().is_none() || before.finality_update() == after.finality_update());
}

#[test]
fn what_does_not_belong_together_makes_nothing() {
    let chain = chain(60, |slot| usize::from(slot != 20));
    let (made, parent) = (&chain[4], &chain[3]);
    assert!(update(made, parent, Some(&chain[0])).is_ok());
    assert_eq!(update(made, &chain[2], None), Err(NoData::NotTheParent));
    assert_eq!(update(made, parent, Some(&chain[1])), Err(NoData::NotTheFinalizedBlock));
    assert_eq!(update(&chain[12], &chain[11], Some(&chain[0])), Err(NoData::NotTheFinalizedBlock));
    assert_eq!(update(&chain[5], &chain[4], None), Err(NoData::TooFewParticipants));
    let mixed = Made { state: parent.state.clone(), ..made.clone() };
    assert_eq!(update(&mixed, parent, None), Err(NoData::NotThePostState));
    assert_eq!(update(made, &mixed, None), Err(NoData::NotThePostState));
    let mut advanced = parent.state.clone();
    advanced.slot = Slot(14);
    assert_eq!(create_light_client_bootstrap(&advanced, &parent.block), Err(NoData::NotThePostState));
    let mut early = parent.clone();
    early.state.set_fork_name(ForkName::Phase0);
    assert_eq!(create_light_client_bootstrap(&early.state, &early.block), Err(NoData::BeforeAltair));
}
