//! The official conformance vectors, run through the functions that production calls.
//!
//! A set of vectors is a folder in the standard layout `tests/<preset>/<fork>/<runner>/<handler>/<suite>/<case>/`,
//! or one with `*.tar.zst` packs of it. Every case ends as passed, failed, or skipped with a reason, and every
//! file of a case is either read or declared: see [`Case`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod external;
mod case;
mod report;
mod runners;
mod source;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use case::{Case, Outcome};
pub use report::Report;

/// The variable that names a folder of packs or cases to run instead of the repository's own.
pub const VECTORS_VARIABLE: &str = "INTERLOCK_VECTORS";

/// The folder to run: what [`VECTORS_VARIABLE`] names, else the compact packs of the repository.
pub fn default_set() -> PathBuf {
    match std::env::var_os(VECTORS_VARIABLE) {
        Some(folder) if !folder.is_empty() => folder.into(),
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors"),
    }
}

/// Runs every vector below `path`: packs one after the other, cases on two threads.
pub fn run(path: &Path) -> anyhow::Result<Report> {
    let mut report = Report::default();
    for batch in source::batches(path)? {
        let cases = batch?;
        let next = AtomicUsize::new(0);
        let shared = Mutex::new(&mut report);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = runners::run_checked(case);
                        shared.lock().expect("no case panics past run_checked").add(case, outcome);
                    }
                });
            }
        });
    }
    Ok(report)
}
