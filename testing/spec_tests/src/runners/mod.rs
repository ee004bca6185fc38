//! Which function runs a case, by runner and handler.

mod bls;
mod fork_choice;
mod inspected;
mod kzg;
mod light_client;
mod merkle_proof;
mod networking;
mod sidecars;
mod ssz_generic;
mod ssz_generic_types;
mod ssz_static;
mod transition;
mod written;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::case::{Case, Outcome};

/// What a runner says: nothing wrong, or an error. A skip is decided before it runs, but for [`NotBuilt`].
type Result = anyhow::Result<()>;

/// Why a runner stopped without a verdict: what the case goes on to ask for is not built. It ends as skipped.
#[derive(Debug)]
struct NotBuilt(&'static str);

impl std::fmt::Display for NotBuilt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotBuilt {}

/// Runs a case. A panic is a failure, and so is a file that the runner neither read nor declared.
pub fn run_checked(case: &Case) -> Outcome {
    case.declare_unneeded("manifest.yaml", "repeats the names of the case's path");
    let Some(runner) = runner_of(case) else {
        return Outcome::Skipped(skip_reason(case));
    };
    match catch_unwind(AssertUnwindSafe(|| runner(case))) {
        Ok(Ok(())) => match case.unread().as_slice() {
            [] => Outcome::Passed,
            unread => Outcome::Failed(format!("files that the runner did not read: {}", unread.join(", "))),
        },
        Ok(Err(error)) => match error.downcast_ref::<NotBuilt>() {
            Some(why) => Outcome::Skipped(why.to_string()),
            None => Outcome::Failed(format!("{error:#}")),
        },
        Err(panic) => Outcome::Failed(format!("panicked: {}", panic_text(&*panic))),
    }
}

fn runner_of(case: &Case) -> Option<fn(&Case) -> Result> {
    match (case.runner.as_str(), case.handler.as_str()) {
        ("ssz_generic", _) => Some(ssz_generic::run),
        ("bls" | "bls12_381", _) => Some(bls::run),
        ("kzg", _) => Some(kzg::run),
        _ if !is_fork_built(case) => None,
        ("ssz_static", _) => Some(ssz_static::run),
        ("merkle_proof", _) | ("light_client", "single_merkle_proof") => Some(merkle_proof::run),
        ("networking", handler) if sidecars::is_custody(handler) => Some(sidecars::run),
        ("networking", handler) if sidecars::has_handler(handler) => Some(sidecars::run),
        ("light_client", handler) => light_client::runner_of(handler),
        ("networking", handler) if networking::has_handler(handler) => Some(networking::run),
        ("fork_choice", handler) if fork_choice::has_handler(handler) => Some(fork_choice::run),
        _ => transition::runner_of(case),
    }
}

/// True for forks whose rules there are.
fn is_fork_built(case: &Case) -> bool {
    case.fork_name().is_ok()
}

fn skip_reason(case: &Case) -> String {
    match case.runner.as_str() {
        runner if is_fork_built(case) => format!("there is no runner for {runner}/{} yet", case.handler),
        _ if case.fork_name().is_err() => format!("the fork {} is not known", case.fork),
        _ => format!("the rules of {} are not built yet", case.fork),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::FileData;

    fn outcome(path: &str, files: &[(&str, &[u8])]) -> Outcome {
        let names: Vec<String> = path.split('/').map(str::to_owned).collect();
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), FileData::Bytes(bytes.to_vec())));
        run_checked(&Case::new(&names, files.collect()))
    }

    fn failure(path: &str, files: &[(&str, &[u8])]) -> String {
        match outcome(path, files) {
            Outcome::Failed(why) => why,
            other => panic!("{other:?} is no failure"),
        }
    }

    const BOOLEAN: &str = "general/phase0/ssz_generic/boolean/valid/true";
    const ROOT: &[u8] = b"root: '0x0100000000000000000000000000000000000000000000000000000000000000'";

    #[test]
    fn a_case_passes_only_with_all_of_its_files_read_and_its_value_right() {
        let value = ("value.yaml", &b"true"[..]);
        let good = [("serialized.ssz", &[1][..]), ("meta.yaml", ROOT), value];
        assert_eq!(outcome(BOOLEAN, &good), Outcome::Passed);
        let other_bytes = [("serialized.ssz", &[0][..]), ("meta.yaml", ROOT), value];
        assert!(failure(BOOLEAN, &other_bytes).starts_with("root is 0x00"));
        let more = [good[0], good[1], good[2], ("more.yaml", b"")];
        assert_eq!(failure(BOOLEAN, &more), "files that the runner did not read: more.yaml");
        assert_eq!(failure(BOOLEAN, &good[..1]), "the case has no meta.yaml");
    }

    #[test]
    fn the_text_of_a_panic_is_found() {
        let text = panic_text(&*catch_unwind(|| panic!("number {}", 7)).unwrap_err()).to_owned();
        assert_eq!(text, "number 7");
    }

    #[test]
    fn what_is_not_built_is_skipped_with_the_reason_and_never_passed() {
        let skipped = |path: &str, why: &str| assert_eq!(outcome(path, &[]), Outcome::Skipped(why.into()));
        skipped("minimal/altair/networking/gossip/suite/a", "there is no runner for networking/gossip yet");
        for handler in [
            "ssz_static/Fork",
            "light_client/single_merkle_proof",
            "light_client/sync",
            "networking/get_custody_groups",
        ] {
            skipped(&format!("mainnet/future/{handler}/suite/a"), "the fork future is not known");
        }
        skipped(
            "minimal/altair/light_client/dreams/suite/a",
            "there is no runner for light_client/dreams yet",
        );
        skipped("minimal/phase0/sanity/dreams/suite/a", "there is no runner for sanity/dreams yet");
        assert!(matches!(outcome("minimal/phase0/sanity/slots/suite/a", &[]), Outcome::Failed(_)));
    }
}
