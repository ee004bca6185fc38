//! The conformance vectors as a test: the compact packs of the repository, or the set that the environment names.
//! Has no test harness, so that the counts are printed on success too.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    if std::env::args().any(|argument| argument == "--list") {
        println!("vectors: test");
        return Ok(ExitCode::SUCCESS);
    }
    let (path, which) = spec_tests::default_set();
    spec_tests::run_and_print(&path, &which)
}
