//! `spec_tests [PATH]`: runs every vector below PATH and prints the counts; exit 1 on any failure.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let (path, which) = match std::env::args_os().nth(1) {
        Some(path) => (path.into(), "named as argument".to_owned()),
        None => spec_tests::default_set(),
    };
    spec_tests::run_and_print(&path, &which)
}
