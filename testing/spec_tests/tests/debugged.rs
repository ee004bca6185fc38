//! Vectors that the debugger writes are read by the runner of the official ones, and fail where they are spoilt.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use debugger::{Case, Encoded, Kind, Options, Run};
use synthetic::{Chain, Keys, StatePlan, spec_at};
use transition::epoch::EpochStep;
use types::{BeaconState, ForkName, Gwei};

fn totals(folder: &Path) -> [usize; 3] {
    let report = spec_tests::run(folder).unwrap();
    let totals = report.totals();
    assert_eq!(report.is_success(), totals[1] == 0, "{report}");
    totals
}

#[test]
fn what_the_debugger_writes_the_runner_reads_in_every_fork() {
    for fork in ForkName::ALL {
        let keys = Arc::new(Keys::new(3, 64));
        let pre = StatePlan::new(spec_at("minimal", fork).unwrap(), fork, 64).state(&keys).unwrap();
        let mut chain = Chain::new(pre.clone(), keys);
        let blocks = [chain.next_block().unwrap(), chain.next_block().unwrap()];
        let folder = tempfile::tempdir().unwrap();
        let options = Options { write_vector: Some(folder.path().into()), ..Options::default() };
        let mut out = Vec::new();
        let run = |out: &mut Vec<u8>, go: &dyn Fn(&mut Run<'_>)| {
            let mut run = Run::new(pre.clone(), &options, out);
            go(&mut run);
            run.finish().unwrap();
        };
        run(&mut out, &|run| blocks.iter().for_each(|block| run.block(block).unwrap()));
        run(&mut out, &|run| run.slot().unwrap());
        let mut steps = 0;
        for step in EpochStep::of(fork) {
            run(&mut out, &|run| run.epoch(Some(step)).unwrap());
            steps += 1;
        }
        assert_eq!(totals(folder.path()), [steps + 2, 0, 0], "{fork}");

        // The state after is looked at, and so is the block.
        let mut wrong: BeaconState = chain.state().clone();
        wrong.balances[3] += Gwei(1);
        let case = Case {
            pre: pre.clone(),
            kind: Kind::Blocks(blocks.to_vec()),
            post: Some(Encoded::of(&wrong)),
            verify: true,
        };
        case.write(folder.path(), "wrong").unwrap();
        Case { post: None, ..case }.write(folder.path(), "refused").unwrap();
        assert_eq!(totals(folder.path()), [steps + 2, 2, 0], "{fork}");
        fs::remove_dir_all(folder.path()).unwrap();
    }
}
