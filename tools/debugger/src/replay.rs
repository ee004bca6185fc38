//! A case of the official layout is run again, and what comes of it is compared with what the case says.
//!
//! Evidence that a node kept is such a case with an `evidence.yaml` beside it, which has the verdict in words. It is run
//! by the very job that a node runs, so that the words must be the same; the walk, step by step, then tells where.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde::Deserialize;
use types::{ForkName, Root};

use crate::changes::{Encoded, changes};
use crate::vector::{Case, Kind};
use crate::walk::{Stop, Walk};

/// What may stand beside a case.
#[derive(Clone, Debug, Deserialize)]
pub struct Evidence {
    /// Why the case was kept.
    pub reason: String,
    /// The verdict of the state transition, as [`Replayed::verdict`] words it.
    pub verdict: String,
    /// What was said beyond that, by an engine or by fork choice; that is not run again.
    #[serde(default)]
    pub beyond: Option<String>,
    /// The version that gave it.
    pub version: String,
}

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The verdict: `valid` or why it is refused.
    pub verdict: String,
    /// What it was compared with: the verdict beside the case, or what the case says.
    pub expected: String,
    /// Whether it is the same.
    pub is_same: bool,
    /// The step that refuses it, where one does.
    pub step: Option<String>,
    /// Evidence, where the case is one.
    pub evidence: Option<Evidence>,
}

/// Runs a case again. Preset and fork are needed where neither its place nor a `config.yaml` in it says them.
pub fn replay(folder: &Path, given: Option<(&str, ForkName)>) -> anyhow::Result<Replayed> {
    let case = Case::read(folder, given)?;
    let path = folder.join("evidence.yaml");
    let evidence: Option<Evidence> = match std::fs::read_to_string(&path) {
        Ok(text) => Some(serde_saphyr::from_str(&text).map_err(|error| {
            let text = error.to_string();
            anyhow::anyhow!("{}: {}", path.display(), text.lines().next().unwrap_or_default())
        })?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    if let Some(evidence) = evidence {
        return Ok(replay_evidence(&case, evidence));
    }
    let (verdict, after) = verdict_of(&case, walk_of(&case));
    let (expected, is_same) = match (&case.post, &after) {
        (None, None) => ("refused".to_owned(), true),
        (None, Some(_)) => ("refused".to_owned(), false),
        (Some(_), None) => ("valid".to_owned(), false),
        (Some(post), Some(after)) if post.bytes() == after.bytes() => ("valid".to_owned(), true),
        (Some(post), Some(after)) => {
            (format!("another state (ours → the case's): {}", changes(after, post, 5)), false)
        }
    };
    Ok(Replayed { verdict, expected, is_same, step: None, evidence: None })
}

/// Runs what a node kept as the node ran it. A panic is a verdict too, since that may be what was kept.
fn replay_evidence(case: &Case, evidence: Evidence) -> Replayed {
    let expected = evidence.verdict.clone();
    let verdict = match &case.kind {
        Kind::Blocks(blocks) if case.verify => {
            let blocks: Vec<_> = blocks.iter().cloned().map(Arc::new).collect();
            let pre_state = Arc::new(case.pre.clone());
            let run = std::panic::AssertUnwindSafe(|| chain::verdict_on(&pre_state, &blocks));
            std::panic::catch_unwind(run)
                .unwrap_or_else(|panic| format!("panicked: {}", chain::panic_text(&*panic)))
        }
        _ => verdict_of(case, walk_of(case)).0,
    };
    let step = match &case.kind {
        Kind::Blocks(blocks) if !verdict.starts_with("panicked") => {
            let mut walk = walk_of(case);
            blocks.iter().find_map(|block| match walk.block(block) {
                Err(Stop::Refused(refused)) => Some(refused.step.to_string()),
                _ => None,
            })
        }
        _ => None,
    };
    Replayed { is_same: verdict == expected, verdict, expected, step, evidence: Some(evidence) }
}

fn walk_of(case: &Case) -> Walk<'static> {
    let walk = Walk::new(case.pre.clone());
    if case.verify { walk } else { walk.skipping_signatures() }
}

/// The verdict, and the state after where there is one.
pub(crate) fn verdict_of(case: &Case, mut walk: Walk<'_>) -> (String, Option<Encoded>) {
    let outcome = match &case.kind {
        Kind::Blocks(blocks) => blocks.iter().try_for_each(|block| {
            let root = walk.block(block).map_err(words)?;
            same_root(block.message.state_root, root)
        }),
        Kind::Slots(count) => {
            let slot = walk.state.slot.saturating_add(*count);
            walk.advance(slot).map_err(words)
        }
        Kind::Epoch(step) => walk.epoch_step(*step).map_err(words),
        Kind::Operation { .. } => Err("operations are not run alone".to_owned()),
    };
    match outcome {
        Ok(()) => ("valid".to_owned(), Some(Encoded::of(&walk.state))),
        Err(why) => (why, None),
    }
}

/// The words that production has for it: those of the transition's error, without the step.
fn words(stop: Stop) -> String {
    match stop {
        Stop::Refused(refused) => refused.error.to_string(),
        Stop::Watch(error) => error.to_string(),
    }
}

fn same_root(block: Root, state: Root) -> Result<(), String> {
    if block == state {
        return Ok(());
    }
    Err(transition::TransitionError::StateRoot { block, state }.to_string())
}
