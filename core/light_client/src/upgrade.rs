//! Data of an older form become data of a newer one.
//!
//! Peers send data in the form of their own time; a store takes data of its own form only, and is upgraded itself before
//! data of a newer form can come. [`upgrade_lc_store`] and its like go through all forms between two forks; the functions
//! below them make one step each. All say the same before and after: what is new is empty.

use types::{
    ForkName, LightClientBootstrap, LightClientFinalityUpdate, LightClientHeader,
    LightClientOptimisticUpdate, LightClientUpdate, Root,
};

use crate::branches::{
    CURRENT_SYNC_COMMITTEE_GINDEX_ELECTRA, EXECUTION_PAYLOAD_GINDEX, FINALIZED_ROOT_GINDEX_ELECTRA,
    NEXT_SYNC_COMMITTEE_GINDEX_ELECTRA, depth, normalize_merkle_branch,
};
use crate::store::LightClientStore;

/// One kind of data: its upgrades, and the walk through them.
macro_rules! upgrades {
    ($data:ident: $through:ident, $($fork:ident $step:ident $anchor:literal $body:expr;)*) => {
        $(
            #[doc = concat!(
                "[`", stringify!($step), "`](https://github.com/ethereum/consensus-specs/blob/master/specs/",
                $anchor, "/light-client/fork.md)."
            )]
            pub fn $step(pre: $data) -> $data {
                let upgrade: fn($data) -> $data = $body;
                upgrade(pre)
            }
        )*

        #[doc = concat!("A `", stringify!($data), "` in the form of `from` in that of `to`; as it is where that is no later.")]
        pub fn $through(mut data: $data, from: ForkName, to: ForkName) -> $data {
            $(
                if from < ForkName::$fork && to >= ForkName::$fork {
                    data = $step(data);
                }
            )*
            data
        }
    };
}

upgrades! {
    LightClientHeader: upgrade_lc_header,
    Capella upgrade_lc_header_to_capella "capella" |pre| LightClientHeader {
        beacon: pre.beacon,
        execution_branch: vec![Root::ZERO; depth(EXECUTION_PAYLOAD_GINDEX)],
        ..LightClientHeader::default()
    };
    // The payload's new fields are zero before Deneb, which is what they are here.
    Deneb upgrade_lc_header_to_deneb "deneb" |pre| pre;
    Electra upgrade_lc_header_to_electra "electra" |pre| pre;
}

upgrades! {
    LightClientBootstrap: upgrade_lc_bootstrap,
    Capella upgrade_lc_bootstrap_to_capella "capella" |pre| LightClientBootstrap {
        header: upgrade_lc_header_to_capella(pre.header),
        ..pre
    };
    Deneb upgrade_lc_bootstrap_to_deneb "deneb" |pre| LightClientBootstrap {
        header: upgrade_lc_header_to_deneb(pre.header),
        ..pre
    };
    Electra upgrade_lc_bootstrap_to_electra "electra" |pre| LightClientBootstrap {
        header: upgrade_lc_header_to_electra(pre.header),
        current_sync_committee_branch: normalize_merkle_branch(
            &pre.current_sync_committee_branch,
            CURRENT_SYNC_COMMITTEE_GINDEX_ELECTRA,
        ),
        ..pre
    };
}

upgrades! {
    LightClientUpdate: upgrade_lc_update,
    Capella upgrade_lc_update_to_capella "capella" |pre| LightClientUpdate {
        attested_header: upgrade_lc_header_to_capella(pre.attested_header),
        finalized_header: upgrade_lc_header_to_capella(pre.finalized_header),
        ..pre
    };
    Deneb upgrade_lc_update_to_deneb "deneb" |pre| LightClientUpdate {
        attested_header: upgrade_lc_header_to_deneb(pre.attested_header),
        finalized_header: upgrade_lc_header_to_deneb(pre.finalized_header),
        ..pre
    };
    Electra upgrade_lc_update_to_electra "electra" |pre| LightClientUpdate {
        attested_header: upgrade_lc_header_to_electra(pre.attested_header),
        next_sync_committee_branch: normalize_merkle_branch(
            &pre.next_sync_committee_branch,
            NEXT_SYNC_COMMITTEE_GINDEX_ELECTRA,
        ),
        finalized_header: upgrade_lc_header_to_electra(pre.finalized_header),
        finality_branch: normalize_merkle_branch(&pre.finality_branch, FINALIZED_ROOT_GINDEX_ELECTRA),
        ..pre
    };
}

upgrades! {
    LightClientFinalityUpdate: upgrade_lc_finality_update,
    Capella upgrade_lc_finality_update_to_capella "capella" |pre| LightClientFinalityUpdate {
        attested_header: upgrade_lc_header_to_capella(pre.attested_header),
        finalized_header: upgrade_lc_header_to_capella(pre.finalized_header),
        ..pre
    };
    Deneb upgrade_lc_finality_update_to_deneb "deneb" |pre| LightClientFinalityUpdate {
        attested_header: upgrade_lc_header_to_deneb(pre.attested_header),
        finalized_header: upgrade_lc_header_to_deneb(pre.finalized_header),
        ..pre
    };
    Electra upgrade_lc_finality_update_to_electra "electra" |pre| LightClientFinalityUpdate {
        attested_header: upgrade_lc_header_to_electra(pre.attested_header),
        finalized_header: upgrade_lc_header_to_electra(pre.finalized_header),
        finality_branch: normalize_merkle_branch(&pre.finality_branch, FINALIZED_ROOT_GINDEX_ELECTRA),
        ..pre
    };
}

upgrades! {
    LightClientOptimisticUpdate: upgrade_lc_optimistic_update,
    Capella upgrade_lc_optimistic_update_to_capella "capella" |pre| LightClientOptimisticUpdate {
        attested_header: upgrade_lc_header_to_capella(pre.attested_header),
        ..pre
    };
    Deneb upgrade_lc_optimistic_update_to_deneb "deneb" |pre| LightClientOptimisticUpdate {
        attested_header: upgrade_lc_header_to_deneb(pre.attested_header),
        ..pre
    };
    Electra upgrade_lc_optimistic_update_to_electra "electra" |pre| LightClientOptimisticUpdate {
        attested_header: upgrade_lc_header_to_electra(pre.attested_header),
        ..pre
    };
}

/// [`upgrade_lc_store_to_capella`](https://github.com/ethereum/consensus-specs/blob/master/specs/capella/light-client/fork.md#upgrading-the-store).
pub fn upgrade_lc_store_to_capella(pre: LightClientStore) -> LightClientStore {
    LightClientStore {
        fork: ForkName::Capella,
        finalized_header: upgrade_lc_header_to_capella(pre.finalized_header),
        best_valid_update: pre.best_valid_update.map(upgrade_lc_update_to_capella),
        optimistic_header: upgrade_lc_header_to_capella(pre.optimistic_header),
        ..pre
    }
}

/// [`upgrade_lc_store_to_deneb`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/light-client/fork.md#upgrading-the-store).
pub fn upgrade_lc_store_to_deneb(pre: LightClientStore) -> LightClientStore {
    LightClientStore {
        fork: ForkName::Deneb,
        finalized_header: upgrade_lc_header_to_deneb(pre.finalized_header),
        best_valid_update: pre.best_valid_update.map(upgrade_lc_update_to_deneb),
        optimistic_header: upgrade_lc_header_to_deneb(pre.optimistic_header),
        ..pre
    }
}

/// [`upgrade_lc_store_to_electra`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/light-client/fork.md#upgrading-the-store).
pub fn upgrade_lc_store_to_electra(pre: LightClientStore) -> LightClientStore {
    LightClientStore {
        fork: ForkName::Electra,
        finalized_header: upgrade_lc_header_to_electra(pre.finalized_header),
        best_valid_update: pre.best_valid_update.map(upgrade_lc_update_to_electra),
        optimistic_header: upgrade_lc_header_to_electra(pre.optimistic_header),
        ..pre
    }
}

/// A store in the form of a fork, as it is where its own is no older.
pub fn upgrade_lc_store(mut store: LightClientStore, to: ForkName) -> LightClientStore {
    if store.fork < ForkName::Capella && to >= ForkName::Capella {
        store = upgrade_lc_store_to_capella(store);
    }
    if store.fork < ForkName::Deneb && to >= ForkName::Deneb {
        store = upgrade_lc_store_to_deneb(store);
    }
    if store.fork < ForkName::Electra && to >= ForkName::Electra {
        store = upgrade_lc_store_to_electra(store);
    }
    store
}
