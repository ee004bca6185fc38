//! What fork choice costs: `cargo run --release -p fork_choice --features measure --example fork_choice_speed`.
//!
//! CPU time of the thread, the least of several runs, beside a plain proto-array on the same work.

use std::hint::black_box;

use fork_choice::measure::{CommitteeVote, ProtoArray, Shape, Workload};
use fork_choice::{ForkChoice, Origin};
use nix::time::{ClockId, clock_gettime};
use types::{Gwei, Slot};

const VALIDATORS: u32 = 1 << 20;
const RUNS: usize = 5;

fn main() {
    println!("{VALIDATORS} validators; milliseconds of CPU time; least of {RUNS} runs");
    for blocks in [64, 10_000, 100_000] {
        for shape in Shape::ALL {
            measure(shape, blocks);
        }
    }
}

/// Nanoseconds of CPU time that this thread has used.
fn cpu_ns() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the clock is there on Linux");
    time.tv_sec() * 1_000_000_000 + time.tv_nsec()
}

fn time<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let before = cpu_ns();
    let result = work();
    ((cpu_ns() - before) as f64 / 1e6, result)
}

/// Moves votes, and gives what moved.
type Round = fn(&mut Workload) -> Vec<CommitteeVote>;

fn measure(shape: Shape, blocks: usize) {
    let (built, mut ours) = time(|| Workload::new(shape, blocks, VALIDATORS));
    let mut plain = ours.proto_array();
    println!("\n{shape:?} of {blocks} blocks (all made and imported in {built:.1})");
    let rounds: [(&str, Round); 3] = [
        ("all moved, in order", Workload::round_in_order),
        ("all moved, committees", |ours| ours.round(VALIDATORS as usize)),
        ("32k moved, committees", |ours| ours.round(32 << 10)),
    ];
    for (what, round) in rounds {
        // The first round brings the votes; what is measured moves them.
        let runs = (0..=RUNS).map(|_| votes_moved(&mut ours, &mut plain, round)).skip(1);
        print_least(what, runs);
    }
    let balances = balances_of(&ours.store);
    let none = (0..RUNS).map(|_| {
        let (mine, head) = time(|| ours.store.get_head());
        let (theirs, same) = time(|| plain_head(&mut plain, &ours.store, &balances));
        assert_eq!(head, same);
        (mine, theirs)
    });
    print_least("none moved", none);
    alone(&mut ours);
}

fn votes_moved(
    ours: &mut Workload,
    plain: &mut ProtoArray,
    round: fn(&mut Workload) -> Vec<CommitteeVote>,
) -> (f64, f64) {
    let votes = round(ours);
    let (mine, head) = time(|| {
        ours.vote(&votes).expect("they are valid");
        ours.store.get_head()
    });
    let balances = balances_of(&ours.store);
    let (theirs, same) = time(|| {
        vote_plainly(plain, &votes);
        plain_head(plain, &ours.store, &balances)
    });
    assert_eq!(head, same, "both find the same head");
    (mine, theirs)
}

fn vote_plainly(plain: &mut ProtoArray, votes: &[CommitteeVote]) {
    for CommitteeVote { facts, validators } in votes {
        for validator in validators {
            plain.process_attestation(*validator, facts.beacon_block_root, facts.target.epoch);
        }
    }
}

fn balances_of(store: &ForkChoice) -> Vec<Gwei> {
    store.justified_balances().iter().collect()
}

fn plain_head(plain: &mut ProtoArray, store: &ForkChoice, balances: &[Gwei]) -> types::Root {
    plain.find_head(&store.justified_checkpoint().root, balances)
}

fn print_least(what: &str, runs: impl Iterator<Item = (f64, f64)>) {
    let least = runs.fold((f64::MAX, f64::MAX), |a, b| (a.0.min(b.0), a.1.min(b.1)));
    println!("  {what:<28}{:>10.4}   proto-array {:>10.4}   x{:.1}", least.0, least.1, least.1 / least.0);
}

/// What the plain proto-array has no like of.
fn alone(ours: &mut Workload) {
    let mut line = |what: &str, work: &mut dyn FnMut(&mut Workload) -> f64| {
        let least = (0..RUNS).map(|_| work(ours)).fold(f64::MAX, f64::min);
        println!("  {what:<28}{least:>10.4}");
    };
    line("head, one vote moved", &mut |ours| {
        let votes = ours.round(1);
        time(|| ours.vote(&votes).map(|()| ours.store.get_head())).0
    });
    let mut each = 32;
    line("head, balances new", &mut |ours| {
        each = 63 - each;
        let took = time(|| ours.set_balances(Gwei(each * 1_000_000_000))).0;
        took + time(|| ours.store.get_head()).0
    });
    line("head, epoch new", &mut |ours| {
        let slot = ours.store.get_current_slot() + 32;
        time(|| ours.tick(slot)).0 + time(|| ours.store.get_head()).0
    });
    line("a block upon the head, head", &mut |ours| {
        let block = ours.next_block();
        let slot = block.slot + 1;
        let took = time(|| ours.store.on_block(&block).map(|_| ours.store.get_head())).0;
        ours.tick(slot);
        took
    });
    line("an attestation of one", &mut |ours| {
        let votes = ours.round(64);
        time(|| ours.vote(&votes)).0 / 64.0
    });
    line("an ancestor", &mut |ours| {
        let roots: Vec<_> = ours.blocks().iter().rev().take(64).map(|block| block.root).collect();
        let find = |(root, slot)| black_box(ours.store.get_ancestor(root, Slot(slot)));
        time(|| {
            roots.iter().zip(0..).for_each(|at| {
                find(at);
            })
        })
        .0 / 64.0
    });
    let mut bytes = Vec::new();
    line("snapshot", &mut |ours| {
        let (took, made) = time(|| ours.store.snapshot());
        bytes = made;
        took
    });
    line("restore", &mut |ours| {
        let (took, restored) = time(|| ForkChoice::restore(ours.store.spec(), &bytes));
        restored.expect("it was just made");
        took
    });
    println!("  snapshot of {} bytes", bytes.len());
    line("an attestation in vain", &mut |ours| {
        let mut vote = ours.round(64).remove(0);
        vote.facts.beacon_block_root = types::Root::ZERO;
        time(|| ours.store.on_attestation(&vote.facts, &vote.validators, Origin::Wire)).0
    });
}
