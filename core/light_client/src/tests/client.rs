//! What a light client takes, and what it refuses.

use ssz::SszExt;
use types::{FixedBytes, ForkName, LightClientUpdate, Root, Slot};

use crate::collection::Limits;
use crate::fixture::{
    GENESIS_VALIDATORS_ROOT, MEMBERS, Made, chain, child, committee, data, extend, sign, spec,
};
use crate::upgrade::{
    upgrade_lc_bootstrap, upgrade_lc_finality_update, upgrade_lc_optimistic_update, upgrade_lc_store,
    upgrade_lc_update,
};
use crate::{
    Invalid, LightClientStore, create_light_client_bootstrap, create_light_client_update,
    get_lc_execution_root, get_safety_threshold, initialize_light_client_store, is_next_sync_committee_known,
    process_light_client_finality_update, process_light_client_optimistic_update,
    process_light_client_store_force_update, process_light_client_update,
};

fn form(slot: Slot) -> ForkName {
    spec().fork_name_at_slot(slot)
}

/// A client that trusts a block, in the form of a fork.
fn client(trusted: &Made, fork: ForkName) -> LightClientStore {
    let bootstrap = create_light_client_bootstrap(&trusted.state, &trusted.block).unwrap();
    let bootstrap = upgrade_lc_bootstrap(bootstrap, form(Slot(trusted.slot())), fork);
    initialize_light_client_store(spec(), fork, trusted.root, &bootstrap).unwrap()
}

/// The update that a block makes of its parent, in the form of a fork.
fn update(chain: &[Made], place: usize, finalized: Option<usize>, fork: ForkName) -> LightClientUpdate {
    let (block, attested) = (&chain[place], &chain[place - 1]);
    let finalized = finalized.map(|place| &chain[place].block);
    let update =
        create_light_client_update(&block.state, &block.block, &attested.state, &attested.block, finalized);
    upgrade_lc_update(update.unwrap(), form(Slot(attested.slot())), fork)
}

fn process(store: &mut LightClientStore, update: &LightClientUpdate, now: u64) -> Result<(), Invalid> {
    process_light_client_update(store, update, Slot(now), GENESIS_VALIDATORS_ROOT)
}

#[test]
fn a_client_follows_a_node_through_all_forks_and_several_committees() {
    let spec = spec();
    let chain = chain(200, |_| MEMBERS);
    let mut data = data(&chain[0], Limits::default());
    let mut store = client(&chain[0], ForkName::Altair);
    for made in &chain[1..] {
        let now = Slot(made.slot());
        store = upgrade_lc_store(store, form(now));
        let fresh = extend(&mut data, made);
        let period = crate::compute_sync_committee_period_at_slot(spec, now);
        if let Some(update) = data.best_update(period) {
            let from = form(update.attested_header.beacon.slot);
            let update = upgrade_lc_update((*update).clone(), from, store.fork);
            // Nothing of what the node has is wrong; what the client knows already is refused as such.
            match process(&mut store, &update, now.0) {
                Ok(()) | Err(Invalid::Irrelevant { .. }) => {}
                Err(error) => panic!("slot {now}: {error}"),
            }
        }
        if let Some(update) = fresh.finality_update {
            let from = form(update.attested_header.beacon.slot);
            let update = upgrade_lc_finality_update((*update).clone(), from, store.fork);
            process_light_client_finality_update(&mut store, &update, now, GENESIS_VALIDATORS_ROOT).unwrap();
        }
        let optimistic = fresh.optimistic_update.expect("every block signs its parent");
        let from = form(optimistic.attested_header.beacon.slot);
        let update = upgrade_lc_optimistic_update((*optimistic).clone(), from, store.fork);
        let taken = process_light_client_optimistic_update(&mut store, &update, now, GENESIS_VALIDATORS_ROOT);
        // That genesis was signed is nothing new to one who trusts it.
        assert_eq!(taken.is_ok(), now > 4u64, "{taken:?}");
        assert_eq!(store.optimistic_header.beacon.slot, now - 4);
    }
    assert_eq!(store.fork, ForkName::Electra, "the last fork with a form of its own");
    assert_eq!(store.finalized_header.beacon.slot, 168);
    assert_eq!(store.current_sync_committee, committee(2));
    assert_eq!(store.next_sync_committee, committee(3));
    assert_eq!(get_safety_threshold(&store), MEMBERS as u64 / 2);
    let expected = store.finalized_header.execution.hash_tree_root(store.ctx());
    assert_eq!(get_lc_execution_root(spec, &store.finalized_header), expected);
}

#[test]
fn a_bootstrap_of_another_block_or_committee_is_refused() {
    let trusted = &chain(80, |_| MEMBERS)[20];
    let fork = form(Slot(trusted.slot()));
    assert!(fork >= ForkName::Capella);
    let good = create_light_client_bootstrap(&trusted.state, &trusted.block).unwrap();
    let refused = |change: fn(&mut types::LightClientBootstrap)| {
        let mut bad = good.clone();
        change(&mut bad);
        initialize_light_client_store(spec(), fork, trusted.root, &bad).unwrap_err()
    };
    assert!(matches!(refused(|bad| bad.header.beacon.proposer_index.0 += 1), Invalid::BootstrapRoot { .. }));
    assert_eq!(refused(|bad| bad.header.execution.gas_used += 1), Invalid::BootstrapHeader);
    assert_eq!(refused(|bad| bad.header.execution_branch.push(Root::ZERO)), Invalid::BootstrapHeader);
    assert_eq!(refused(|bad| bad.current_sync_committee = committee(5)), Invalid::CurrentSyncCommittee);
    assert_eq!(refused(|bad| bad.current_sync_committee_branch.clear()), Invalid::CurrentSyncCommittee);
}

#[test]
fn an_update_that_breaks_a_rule_is_refused_for_it_and_changes_nothing() {
    let chain = chain(160, |_| MEMBERS);
    // In the second period, with the first one's last block as the place to start from.
    let fork = ForkName::Fulu;
    let store = client(&chain[18], fork);
    let good = update(&chain, 30, Some(22), fork);
    let now = chain[30].slot();
    process(&mut store.clone(), &good, now).unwrap();
    let refused_at = |now: u64, change: &dyn Fn(&mut LightClientUpdate)| {
        let mut bad = good.clone();
        change(&mut bad);
        let mut store = store.clone();
        let before = format!("{store:?}");
        let error = process(&mut store, &bad, now).unwrap_err();
        assert_eq!(format!("{store:?}"), before, "{error}");
        error
    };
    let refused = |change: &dyn Fn(&mut LightClientUpdate)| refused_at(now, change);
    let with_votes = |count| sign(&good.attested_header.beacon, good.signature_slot, count);
    assert!(matches!(refused(&|bad| bad.sync_aggregate = with_votes(0)), Invalid::TooFewParticipants { .. }));
    assert_eq!(refused(&|bad| bad.attested_header.execution.timestamp += 1), Invalid::AttestedHeader);
    assert!(matches!(refused_at(now - 1, &|_| {}), Invalid::FromTheFuture { .. }));
    assert!(matches!(
        refused(&|bad| bad.signature_slot = bad.attested_header.beacon.slot),
        Invalid::SlotsOutOfOrder { .. }
    ));
    assert!(matches!(
        refused(&|bad| bad.finalized_header.beacon.slot = Slot(now)),
        Invalid::SlotsOutOfOrder { .. }
    ));
    assert!(matches!(
        refused_at(500, &|bad| bad.signature_slot = Slot(150)),
        Invalid::SkipsPeriod { signature: 2, store: 1 }
    ));
    assert_eq!(refused(&|bad| bad.finality_branch.fill(Root::ZERO)), Invalid::FinalizedHeaderUncalledFor);
    assert_eq!(
        refused(&|bad| bad.finalized_header.beacon.slot = Slot(0)),
        Invalid::FinalizedHeaderUncalledFor
    );
    assert_eq!(refused(&|bad| bad.finalized_header.execution.gas_used += 1), Invalid::FinalizedHeader);
    assert_eq!(refused(&|bad| bad.finality_branch[1] = FixedBytes([1; 32])), Invalid::FinalityBranch);
    assert_eq!(
        refused(&|bad| bad.next_sync_committee_branch.fill(Root::ZERO)),
        Invalid::NextSyncCommitteeUncalledFor
    );
    assert_eq!(refused(&|bad| bad.next_sync_committee = committee(0)), Invalid::NextSyncCommitteeBranch);
    assert_eq!(
        refused(&|bad| bad.sync_aggregate.sync_committee_bits = types::Bits::zero(0)),
        Invalid::TooFewParticipants { found: 0, least: 1 }
    );
    let long = || {
        let mut bits = types::Bits::zero(MEMBERS + 1);
        bits.set(0, true);
        bits
    };
    assert_eq!(
        refused(&|bad| bad.sync_aggregate.sync_committee_bits = long()),
        Invalid::CommitteeSize { bits: MEMBERS + 1, members: MEMBERS }
    );
    assert_eq!(refused(&|bad| bad.sync_aggregate.sync_committee_bits.set(3, false)), Invalid::Signature);
    assert_eq!(
        refused(&|bad| bad.sync_aggregate.sync_committee_signature = FixedBytes([1; 96])),
        Invalid::Signature
    );
    let mut elsewhere = store.clone();
    let error = process_light_client_update(&mut elsewhere, &good, Slot(now), FixedBytes([8; 32]));
    assert_eq!(error, Err(Invalid::Signature), "the votes are those of another network");
}

#[test]
fn what_is_known_is_refused_and_a_known_committee_may_not_change() {
    let chain = chain(160, |_| MEMBERS);
    let fork = ForkName::Fulu;
    let mut store = client(&chain[18], fork);
    assert!(!is_next_sync_committee_known(&store));
    process(&mut store, &update(&chain, 30, Some(22), fork), 120).unwrap();
    assert!(is_next_sync_committee_known(&store));
    assert!(store.best_valid_update.is_none());
    let older = update(&chain, 20, None, fork);
    let error = process(&mut store, &older, 120).unwrap_err();
    assert!(matches!(error, Invalid::Irrelevant { .. }), "{error}");
    let mut other = update(&chain, 31, Some(24), fork);
    other.next_sync_committee = committee(0);
    assert_eq!(process(&mut store, &other, 124), Err(Invalid::OtherNextSyncCommittee));
}

#[test]
fn without_finality_the_best_update_counts_as_final_only_after_a_period() {
    // Too few for a supermajority, with the most of them at slot 20.
    let chain = chain(60, |slot| if slot == 20 { 15 } else { 10 });
    let mut store = client(&chain[0], ForkName::Altair);
    for place in 1..=6 {
        let now = chain[place].slot();
        process(&mut store, &update(&chain, place, None, ForkName::Deneb), now).unwrap_or_else(|error| {
            panic!("{error}");
        });
    }
    let timeout = spec().preset.update_timeout;
    process_light_client_store_force_update(&mut store, Slot(timeout)).unwrap();
    assert_eq!(store.finalized_header.beacon.slot, 0, "not yet");
    let best = store.best_valid_update.clone().unwrap();
    assert_eq!(best.signature_slot, 20);
    process_light_client_store_force_update(&mut store, Slot(timeout + 1)).unwrap();
    assert_eq!(store.finalized_header, best.attested_header);
    assert_eq!(store.next_sync_committee, committee(1));
    assert!(store.best_valid_update.is_none());
    let after = format!("{store:?}");
    process_light_client_store_force_update(&mut store, Slot(10 * timeout)).unwrap();
    assert_eq!(format!("{store:?}"), after, "there is nothing to force");
}

#[test]
fn few_votes_move_the_optimistic_header_only_beyond_half_of_what_was_seen() {
    let chain = chain(60, |slot| match slot {
        8 => 20,
        12 => 10,
        _ => 11,
    });
    let mut store = client(&chain[0], ForkName::Altair);
    for (place, expected) in [(2, 4), (3, 4), (4, 12)] {
        process(&mut store, &update(&chain, place, None, ForkName::Altair), 60).unwrap();
        assert_eq!(store.optimistic_header.beacon.slot, expected, "{place}");
    }
    assert_eq!(store.current_max_active_participants, 20);
}

#[test]
fn an_upgraded_store_says_the_same_and_takes_the_same_updates() {
    let chain = chain(60, |_| 10);
    let mut store = client(&chain[0], ForkName::Altair);
    process(&mut store, &update(&chain, 3, None, ForkName::Altair), 60).unwrap();
    for fork in ForkName::ALL.into_iter().skip(2) {
        store = upgrade_lc_store(store, fork);
        let ctx = spec().ctx(fork);
        let best = store.best_valid_update.clone().unwrap();
        // A wrong length of any branch would not come back.
        assert_eq!(LightClientUpdate::from_ssz(&best.to_ssz(ctx), ctx).unwrap(), best, "{fork}");
        let mut same = store.clone();
        assert_eq!(same.finalized_header.beacon, chain[0].header());
        process(&mut same, &update(&chain, 4, None, fork), 60).unwrap();
        assert_eq!(same.optimistic_header.beacon, chain[3].header(), "{fork}");
    }
    let child = child(&chain[3], 16, MEMBERS, None);
    assert_eq!(child.slot(), 16);
}
