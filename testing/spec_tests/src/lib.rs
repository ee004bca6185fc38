//! The official conformance vectors, run through the functions that production calls.
//!
//! A set of vectors is a folder in the standard layout `tests/<preset>/<fork>/<runner>/<handler>/<suite>/<case>/`,
//! or one with `*.tar.zst` packs of it. Every case ends as passed, failed, or skipped with a reason, and every
//! file of a case is either read or declared: see [`Case`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod case;
mod external;
mod report;
mod runners;
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, mpsc};
use std::thread::available_parallelism;
use std::time::Instant;

pub use case::{Case, Outcome};
pub use report::Report;

/// The variable that names a folder of packs or cases to run instead of the repository's own.
pub const VECTORS_VARIABLE: &str = "INTERLOCK_VECTORS";

/// How many cases wait to be run while the next ones are read.
const CASES_WAITING: usize = 32;

/// The folder to run: what [`VECTORS_VARIABLE`] names, else the compact packs of the repository; and which it is.
pub fn default_set() -> (PathBuf, String) {
    match std::env::var_os(VECTORS_VARIABLE) {
        Some(folder) if !folder.is_empty() => (folder.into(), format!("named by {VECTORS_VARIABLE}")),
        _ => {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
            (folder, format!("the repository's compact set; {VECTORS_VARIABLE} may name a larger one"))
        }
    }
}

/// Runs a set, prints what was found, and says whether it is a success.
pub fn run_and_print(path: &Path, which: &str) -> anyhow::Result<ExitCode> {
    println!("vectors: {} ({which})", path.display());
    let begin = Instant::now();
    let report = run(path)?;
    println!("{report}");
    println!("{:.0} s; vectors: {} ({which})", begin.elapsed().as_secs_f64(), path.display());
    println!("{}", report.summary());
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs every vector below `path` on all cores, while this thread reads the next ones.
pub fn run(path: &Path) -> anyhow::Result<Report> {
    let source = source::Source::open(path)?;
    let report = Mutex::new(Report::default());
    let (give, take) = mpsc::sync_channel::<Case>(CASES_WAITING);
    let take = Mutex::new(take);
    let strays = std::thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let next = || take.lock().expect("receiving does not panic").recv();
                while let Ok(case) = next() {
                    let outcome = runners::run_checked(&case);
                    report.lock().expect("no case panics past run_checked").add(&case, outcome);
                }
            });
        }
        // The sender goes with the closure, and that ends the threads.
        let give = give;
        source.for_each(|case| give.send(case).expect("the threads live as long as this sender"))
    })?;
    let mut report = report.into_inner().expect("no case panics past run_checked");
    report.finish(strays);
    Ok(report)
}
