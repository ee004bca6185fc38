//! Which function runs a case, by runner and handler.

mod bls;
mod ssz_generic;
mod ssz_generic_types;
mod ssz_static;
mod transition;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::case::{Case, Outcome};

/// What a runner says: nothing wrong, or an error; a skip is decided before it runs.
type Result = anyhow::Result<()>;

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
        Ok(Err(error)) => Outcome::Failed(format!("{error:#}")),
        Err(panic) => Outcome::Failed(format!("panicked: {}", panic_text(&*panic))),
    }
}

fn runner_of(case: &Case) -> Option<fn(&Case) -> Result> {
    match (case.runner.as_str(), case.handler.as_str()) {
        ("ssz_static", _) => Some(ssz_static::run),
        ("ssz_generic", _) => Some(ssz_generic::run),
        ("bls" | "bls12_381", _) => Some(bls::run),
        _ if transition::skip_reason(case).is_none() => transition::runner_of(case),
        _ => None,
    }
}

fn skip_reason(case: &Case) -> String {
    if let (Some(_), Some(reason)) = (transition::runner_of(case), transition::skip_reason(case)) {
        return reason;
    }
    format!("{}: no runner yet", case.runner)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a text")
}
