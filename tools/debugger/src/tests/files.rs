//! Cases as folders.

use types::{ForkName, Root};

use super::Fixture;
use crate::{Case, Encoded, Kind, replay};

#[test]
fn a_case_is_run_again_to_the_verdict_beside_it_and_another_one_is_told() {
    let mut fixture = Fixture::new(ForkName::Deneb, 1);
    fixture.blocks[0].message.state_root = Root::from([7; 32]);
    let folder = tempfile::tempdir().unwrap();
    let case = Case {
        pre: fixture.pre.clone(),
        kind: Kind::Blocks(fixture.blocks.clone()),
        post: None,
        verify: false,
    };
    let written = case.write(folder.path(), "wrong_root").unwrap().0;
    assert!(replay(&written, None).unwrap().is_same, "a case without a state after must be refused");
    let verdict = format!(
        "the block's state root is {}, the state's is {}",
        Root::from([7; 32]),
        fixture.states[0].state_root()
    );
    let evidence = |verdict: &str| {
        let text = format!("reason: import\nverdict: \"{verdict}\"\nversion: test\n");
        std::fs::write(written.join("evidence.yaml"), text).unwrap();
        replay(&written, None).unwrap()
    };
    assert!(evidence(&verdict).is_same);
    let other = evidence("the proposer's signature is invalid");
    assert!(!other.is_same);
    assert_eq!(other.verdict, verdict);
}

#[test]
fn a_block_that_is_refused_is_told_with_the_step_that_refuses_it() {
    let mut fixture = Fixture::new(ForkName::Deneb, 1);
    fixture.blocks[0].message.body.attestations[0].data.source.epoch += 1;
    let options = crate::Options { verify: false, ..crate::Options::default() };
    let (_, outcome, _) = super::run(&fixture, &options, None);
    let line = outcome.unwrap_err().to_string();
    assert!(line.contains(": process_attestation[0] at slot ") && line.contains("attestation 0: "), "{line}");
}

#[test]
fn a_case_over_a_fork_has_the_form_of_a_transition() {
    let spec = crate::config_of::usual_spec("minimal", ForkName::Altair, 5).unwrap();
    let keys = std::sync::Arc::new(synthetic::Keys::new(7, 64));
    let mut pre = synthetic::genesis_state(spec, &keys, 64, 0, None).unwrap();
    transition::process_slots(&mut pre, types::Slot(38)).unwrap();
    let mut chain = synthetic::Chain::new(pre.clone(), keys);
    let blocks = vec![chain.next_block().unwrap(), chain.next_block().unwrap()];
    assert_eq!(blocks[1].message.slot.0, 40);
    let post = Some(Encoded::of(chain.state()));
    let folder = tempfile::tempdir().unwrap();
    let case = Case { pre, kind: Kind::Blocks(blocks), post, verify: true };
    let written = case.write(folder.path(), "over").unwrap().0;
    assert!(
        written.ends_with("tests/minimal/altair/transition/core/interlock/over"),
        "{}",
        written.display()
    );
    let meta = std::fs::read_to_string(written.join("meta.yaml")).unwrap();
    assert_eq!(
        meta.trim(),
        "{post_fork: altair, fork_epoch: 5, fork_block: 0, blocks_count: 2, bls_setting: 1}"
    );
    assert!(!written.join("config.yaml").exists());
    let replayed = replay(&written, None).unwrap();
    assert!(replayed.is_same, "{replayed:?}");
}

#[test]
fn a_folder_that_is_no_case_is_told_by_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let line = |given| format!("{:#}", replay(folder.path(), given).unwrap_err());
    assert!(line(None).contains("--preset"), "{}", line(None));
    let given = Some(("minimal", ForkName::Deneb));
    assert!(line(given).contains("no pre.ssz"));
    std::fs::write(folder.path().join("pre.ssz"), [0; 50]).unwrap();
    assert!(line(given).contains("pre.ssz: "));
    let fixture = Fixture::new(ForkName::Deneb, 0);
    std::fs::write(folder.path().join("pre.ssz"), fixture.pre.encoded()).unwrap();
    assert!(line(given).contains("counts no blocks"), "{}", line(given));
    std::fs::write(folder.path().join("meta.yaml"), "{blocks_count: 1}").unwrap();
    assert!(line(given).contains("no blocks_0.ssz"));
    std::fs::write(folder.path().join("meta.yaml"), "{blocks_count: ").unwrap();
    assert!(line(given).contains("meta.yaml"));
    assert!(!line(given).contains('\n'));
}
