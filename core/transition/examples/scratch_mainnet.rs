//! scratch
use std::time::Instant;
use types::*;
use transition::*;
fn main() {
    let bytes = std::fs::read("/tmp/tr/mainnet.ssz").expect("r");
    let t = Instant::now();
    let mut s = BeaconState::decode_at(Spec::mainnet(), ForkName::Phase0, &bytes).expect("d");
    println!("decode {:?}", t.elapsed());
    let t = Instant::now();
    println!("root {} {:?}", s.state_root(), t.elapsed());
    println!("validators {} gvr {}", s.validators.len(), genesis::genesis_validators_root(&s));
    println!("block root {}", genesis::genesis_block(&s).message.hash_tree_root(s.ctx()));
    let t = Instant::now();
    process_slots(&mut s, Slot(64)).expect("p");
    println!("64 slots {:?}", t.elapsed());
    let t = Instant::now();
    let p = accessors::get_beacon_proposer_indices(&s).expect("p");
    println!("proposers {:?} {:?}", &p[..4], t.elapsed());
    let t = Instant::now();
    let c = accessors::get_beacon_committee(&s, Slot(64), CommitteeIndex(0)).expect("c");
    println!("committee {:?} {:?}", &c[..4], t.elapsed());
    println!("root {}", s.state_root());
    let t = Instant::now();
    let n = 200; for i in 0..n { let _ = accessors::public_key(&s, ValidatorIndex(i)).expect("k"); }
    println!("{n} keys {:?}", t.elapsed());
    let t = Instant::now();
    mutators::initiate_validator_exit(&mut s, ValidatorIndex(0));
    println!("exit {:?}", t.elapsed());
}
