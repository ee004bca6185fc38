//! How Interlock's own processes are started.

use std::path::Path;

use devnet::{ForeignSeat, ProcessPlan};

use crate::engine::Engine;

/// A beacon node, with its engine where the network has any.
pub fn beacon(program: &Path, seat: &ForeignSeat, engine: Option<&Engine>) -> ProcessPlan {
    let process = ProcessPlan::new(&seat.name, program, seat.dir.join("log.txt"))
        .arg("beacon")
        .path("--network-dir", seat.network.path())
        .path("--data-dir", &seat.dir)
        .option("--http-port", seat.ports.http)
        .option("--tcp-port", seat.ports.tcp)
        .option("--udp-port", seat.ports.udp)
        .option("--listen-address", "127.0.0.1")
        .option("--enr-address", "127.0.0.1")
        .arg("--subscribe-all-subnets");
    let process = match engine {
        Some(engine) => process.option("--execution", &engine.url).path("--execution-jwt", &engine.secret),
        None => process,
    };
    seat.bootnodes.iter().fold(process, |process, record| process.option("--bootnode", record))
}

/// A validator client; its range ends before the upper bound.
pub fn validator(program: &Path, seat: &ForeignSeat) -> ProcessPlan {
    ProcessPlan::new(&seat.name, program, seat.dir.join("log.txt"))
        .arg("validator")
        .option("--beacon-node", seat.beacon_url())
        .path("--data-dir", &seat.dir)
        .path("--network-dir", seat.network.path())
        .option("--interop-range", format!("{}..{}", seat.validators.start, seat.validators.end))
}
