//! `spec_tests [PATH]`: runs every vector below PATH and prints the counts; exit 1 on any failure.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let path = std::env::args_os().nth(1).map_or_else(spec_tests::default_set, PathBuf::from);
    println!("vectors: {}", path.display());
    let report = spec_tests::run(&path)?;
    report.print();
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
