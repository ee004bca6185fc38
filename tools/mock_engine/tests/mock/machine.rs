//! The engine as a function of requests and time.

use engine::{
    EngineFailure, EngineReply, EngineRequest, ForkchoiceState, PayloadStatus, PayloadVerdict,
    is_valid_block_hash,
};
use mock_engine::{Conduct, Lie, MockConfig, MockEngine, Schedule};
use types::{ExecutionRequests, FixedBytes, ForkName, Root, WithdrawalRequest};

use crate::walk::{attributes, build, extend, give, head};

const FORKS: [ForkName; 5] =
    [ForkName::Bellatrix, ForkName::Capella, ForkName::Deneb, ForkName::Electra, ForkName::Fulu];

fn mock(conduct: Conduct) -> MockEngine {
    MockEngine::new(MockConfig { blobs_per_block: 2, ..MockConfig::default() }, conduct)
}

fn choose(mock: &mut MockEngine, now_ms: u64, state: ForkchoiceState) -> EngineReply {
    mock.handle(
        now_ms,
        &EngineRequest::ForkchoiceUpdated { fork: ForkName::Electra, state, attributes: None },
    )
}

fn code(reply: EngineReply) -> i64 {
    match reply {
        EngineReply::Failed(EngineFailure::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn payloads_of_every_fork_are_built_of_their_attributes_and_valid() {
    for fork in FORKS {
        let mut mock = mock(Conduct::default());
        let requests = ExecutionRequests {
            withdrawals: vec![WithdrawalRequest::default()],
            ..ExecutionRequests::default()
        };
        mock.request(requests.clone());
        let mut on = mock.genesis_hash();
        for number in 1..4 {
            let block = extend(&mut mock, fork, on, number * 12);
            let (payload, asked) = (&block.payload, attributes(fork, number * 12));
            assert_eq!((payload.block_number, payload.parent_hash), (number, on));
            assert_eq!((payload.timestamp, payload.prev_randao), (asked.timestamp, asked.prev_randao));
            assert_eq!(payload.withdrawals, asked.withdrawals);
            assert_eq!(block.versioned_hashes.len(), if fork >= ForkName::Deneb { 2 } else { 0 });
            // Requests are in the first block that can have them, and then are done.
            let has_requests = number == 1 && fork >= ForkName::Electra;
            assert_eq!(block.execution_requests == requests, has_requests, "{fork} {number}");
            assert!(is_valid_block_hash(
                fork,
                payload,
                asked.parent_beacon_block_root,
                &block.execution_requests
            ));
            on = payload.block_hash;
        }
        let state = ForkchoiceState { finalized_block_hash: mock.genesis_hash(), ..head(on) };
        let valid = EngineReply::ForkchoiceUpdated { status: PayloadStatus::valid(on), payload_id: None };
        assert_eq!(choose(&mut mock, 0, state), valid);
        assert_eq!(mock.forkchoice(), state);
    }
}

#[test]
fn blobs_can_be_had_from_the_pool_with_the_proofs_of_the_fork() {
    for (fork, proofs) in [(ForkName::Deneb, 1), (ForkName::Fulu, 128)] {
        let mut mock = mock(Conduct::default());
        let genesis = mock.genesis_hash();
        let block = extend(&mut mock, fork, genesis, 12);
        let ask = |mock: &mut MockEngine, hashes: &[Root]| {
            let request = EngineRequest::GetBlobs { fork, versioned_hashes: hashes.to_vec() };
            match mock.handle(0, &request) {
                EngineReply::Blobs(blobs) => blobs,
                other => panic!("{other:?}"),
            }
        };
        let all = ask(&mut mock, &block.versioned_hashes);
        assert!(all.iter().all(|blob| blob.as_ref().unwrap().proofs.len() == proofs));
        let mixed = ask(&mut mock, &[block.versioned_hashes[0], Root::ZERO]);
        let found: Vec<bool> = mixed.iter().map(Option::is_some).collect();
        assert_eq!(found, if fork == ForkName::Fulu { [false, false] } else { [true, false] });
    }
    let mut hiding = mock(Conduct { hides_blobs: true, ..Conduct::default() });
    let genesis = hiding.genesis_hash();
    let block = extend(&mut hiding, ForkName::Deneb, genesis, 12);
    let request = EngineRequest::GetBlobs { fork: ForkName::Deneb, versioned_hashes: block.versioned_hashes };
    assert_eq!(hiding.handle(0, &request), EngineReply::Blobs(vec![None, None]));
}

#[test]
fn a_payload_whose_content_was_changed_is_invalid() {
    let mut mock = mock(Conduct::default());
    let genesis = mock.genesis_hash();
    let good = build(&mut mock, ForkName::Deneb, genesis, 12);
    let mut changed = good.clone();
    changed.payload.withdrawals[0].amount.0 += 1;
    let status = give(&mut mock, 0, &changed);
    assert_eq!((status.verdict, status.latest_valid_hash), (PayloadVerdict::Invalid, None));
    // The blobs of the block must be those of the payload, in their order.
    let mut swapped = good.clone();
    swapped.versioned_hashes.swap(0, 1);
    assert!(give(&mut mock, 0, &swapped).is_invalid());
    // The first version of the method has a word of its own for it.
    let mut early = build(&mut mock, ForkName::Bellatrix, genesis, 12);
    early.payload.block_hash.0[0] ^= 1;
    assert_eq!(give(&mut mock, 0, &early).verdict, PayloadVerdict::InvalidBlockHash);
    assert_eq!(give(&mut mock, 0, &good), PayloadStatus::valid(good.payload.block_hash));
}

#[test]
fn a_payload_that_does_not_fit_its_parent_is_invalid() {
    let changes: [fn(&mut types::ExecutionPayload); 4] = [
        |payload| payload.block_number += 1,
        |payload| payload.timestamp = 0,
        |payload| payload.gas_used = payload.gas_limit + 1,
        |payload| payload.blob_gas_used += 1,
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut mock = mock(Conduct::default());
        let genesis = mock.genesis_hash();
        let mut block = build(&mut mock, ForkName::Deneb, genesis, 12);
        change(&mut block.payload);
        block.payload.block_hash = engine::block_hash(
            ForkName::Deneb,
            &block.payload,
            block.parent_beacon_block_root,
            &block.execution_requests,
        );
        let status = give(&mut mock, 0, &block);
        let expected = (PayloadVerdict::Invalid, Some(genesis));
        assert_eq!((status.verdict, status.latest_valid_hash), expected, "change {index}");
    }
}

#[test]
fn a_block_without_its_parent_is_syncing_until_the_parent_comes() {
    let mut source = mock(Conduct::default());
    let genesis = source.genesis_hash();
    let first = extend(&mut source, ForkName::Capella, genesis, 12);
    let second = extend(&mut source, ForkName::Capella, first.payload.block_hash, 24);
    let mut other = mock(Conduct::default());
    let syncing = PayloadStatus::of(PayloadVerdict::Syncing);
    assert_eq!(give(&mut other, 0, &second), syncing);
    let hash = second.payload.block_hash;
    let reply = choose(&mut other, 0, head(hash));
    assert_eq!(reply, EngineReply::ForkchoiceUpdated { status: syncing, payload_id: None });
    give(&mut other, 0, &first);
    let reply = choose(&mut other, 0, head(hash));
    assert_eq!(
        reply,
        EngineReply::ForkchoiceUpdated { status: PayloadStatus::valid(hash), payload_id: None }
    );
    // One that adopts what it does not know goes on from there.
    let mut adopting = mock(Conduct { adopts_orphans: true, ..Conduct::default() });
    assert_eq!(give(&mut adopting, 0, &second), PayloadStatus::valid(hash));
    extend(&mut adopting, ForkName::Capella, hash, 36);
}

#[test]
fn an_engine_that_syncs_says_so_until_its_time_and_then_knows_what_it_was_given() {
    let mut source = mock(Conduct::default());
    let genesis = source.genesis_hash();
    let block = extend(&mut source, ForkName::Capella, genesis, 12);
    let mut slow = mock(Conduct { syncing_until_ms: 5000, ..Conduct::default() });
    assert_eq!(give(&mut slow, 4999, &block).verdict, PayloadVerdict::Syncing);
    let hash = block.payload.block_hash;
    let reply = choose(&mut slow, 5000, head(hash));
    assert_eq!(
        reply,
        EngineReply::ForkchoiceUpdated { status: PayloadStatus::valid(hash), payload_id: None }
    );
}

#[test]
fn an_invalid_block_takes_all_that_follows_with_it_and_names_the_last_valid_one() {
    let mut source = mock(Conduct::default());
    let genesis = source.genesis_hash();
    let first = extend(&mut source, ForkName::Electra, genesis, 12);
    let second = extend(&mut source, ForkName::Electra, first.payload.block_hash, 24);
    let third = extend(&mut source, ForkName::Electra, second.payload.block_hash, 36);
    let mut strict = mock(Conduct { invalid_at: Some(2), ..Conduct::default() });
    assert!(!give(&mut strict, 0, &first).is_invalid());
    for block in [&second, &third] {
        let status = give(&mut strict, 0, block);
        let expected = (PayloadVerdict::Invalid, Some(first.payload.block_hash));
        assert_eq!((status.verdict, status.latest_valid_hash), expected);
    }
    let reply = choose(&mut strict, 0, head(third.payload.block_hash));
    let EngineReply::ForkchoiceUpdated { status, payload_id: None } = reply else { panic!("{reply:?}") };
    assert_eq!(status.latest_valid_hash, Some(first.payload.block_hash));
}

#[test]
fn what_cannot_be_done_is_refused_with_the_code_of_the_engine_api() {
    let mut mock = mock(Conduct::default());
    let genesis = mock.genesis_hash();
    let first = extend(&mut mock, ForkName::Electra, genesis, 12);
    let hash = first.payload.block_hash;
    let unknown = EngineRequest::GetPayload { fork: ForkName::Electra, id: FixedBytes([0; 8]) };
    assert_eq!(code(mock.handle(0, &unknown)), -38001);
    let foreign = ForkchoiceState { safe_block_hash: Root::from([9; 32]), ..head(hash) };
    assert_eq!(code(choose(&mut mock, 0, foreign)), -38002);
    let late = EngineRequest::ForkchoiceUpdated {
        fork: ForkName::Electra,
        state: head(hash),
        attributes: Some(attributes(ForkName::Electra, 12)),
    };
    assert_eq!(code(mock.handle(0, &late)), -38003);
    assert_eq!(
        mock.forkchoice().head_block_hash,
        hash,
        "the head is taken even where the attributes are not"
    );
    let many = EngineRequest::GetBlobs { fork: ForkName::Fulu, versioned_hashes: vec![Root::ZERO; 129] };
    assert_eq!(code(mock.handle(0, &many)), -38004);
}

#[test]
fn an_engine_that_knows_the_forks_refuses_versions_of_another_one() {
    let schedule = Schedule { shanghai: Some(10), cancun: Some(20), prague: Some(30), osaka: Some(40) };
    let config = MockConfig { schedule: Some(schedule), ..MockConfig::default() };
    let mut mock = MockEngine::new(config, Conduct::default());
    let mut on = mock.genesis_hash();
    for (fork, timestamp) in FORKS.into_iter().zip([5, 15, 25, 35, 45]) {
        assert_eq!(schedule.fork_at(timestamp), fork);
        let block = extend(&mut mock, fork, on, timestamp);
        let next = FORKS[(FORKS.iter().position(|known| *known == fork).unwrap() + 2) % FORKS.len()];
        let other = engine::NewPayload { fork: next, ..block.clone() };
        assert_eq!(code(mock.handle(0, &EngineRequest::NewPayload(other.into()))), -38005, "{fork}");
        on = block.payload.block_hash;
    }
}

#[test]
fn lies_are_told() {
    let lying = |lie| mock(Conduct { lie: Some(lie), ..Conduct::default() });
    let mut honest = mock(Conduct::default());
    let genesis = honest.genesis_hash();
    let mut bad = build(&mut honest, ForkName::Capella, genesis, 12);
    let good = bad.clone();
    bad.payload.block_hash.0[0] ^= 1;
    assert_eq!(give(&mut lying(Lie::AllValid), 0, &bad).verdict, PayloadVerdict::Valid);
    assert_eq!(give(&mut lying(Lie::AllSyncing), u64::MAX, &good).verdict, PayloadVerdict::Syncing);
    let status = give(&mut lying(Lie::AllInvalid), 0, &good);
    assert_eq!((status.verdict, status.latest_valid_hash), (PayloadVerdict::Invalid, Some(genesis)));
    let wrong = build(&mut lying(Lie::WrongBlockHash), ForkName::Capella, genesis, 12);
    assert!(wrong.fault().is_some());
    let without = build(&mut lying(Lie::WithoutWithdrawals), ForkName::Capella, genesis, 12);
    assert!(without.fault().is_none() && without.payload.withdrawals.is_empty());
}

#[test]
fn the_same_requests_get_the_same_replies() {
    let run = || {
        let mut mock = mock(Conduct::default());
        let genesis = mock.genesis_hash();
        let first = extend(&mut mock, ForkName::Fulu, genesis, 12);
        extend(&mut mock, ForkName::Fulu, first.payload.block_hash, 24)
    };
    assert_eq!(run(), run());
}
