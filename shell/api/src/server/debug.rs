//! `debug/*`: fork choice as it is.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use types::Checkpoint;

use super::Shared;
use crate::ForkChoiceNode;
use crate::envelope::{Envelope, text};

pub async fn heads(State(backend): State<Shared>) -> Response {
    let list = backend.heads().into_iter().map(
        |head| json!({ "root": text(&head.root), "slot": text(&head.slot), "execution_optimistic": head.execution_optimistic }),
    );
    Envelope::plain().json(Value::Array(list.collect()))
}

fn checkpoint_json(checkpoint: &Checkpoint) -> Value {
    json!({ "epoch": text(&checkpoint.epoch), "root": text(&checkpoint.root) })
}

fn node_json(node: &ForkChoiceNode) -> Value {
    json!({
        "slot": text(&node.slot), "block_root": text(&node.block_root),
        "parent_root": node.parent_root.map_or_else(|| text(&types::Root::ZERO), |root| text(&root)),
        "justified_epoch": text(&node.justified_epoch), "finalized_epoch": text(&node.finalized_epoch),
        "weight": text(&node.weight), "validity": node.validity,
        "execution_block_hash": text(&node.execution_block_hash), "extra_data": {},
    })
}

/// This endpoint has no `data` around its members.
pub async fn fork_choice(State(backend): State<Shared>) -> axum::Json<Value> {
    let dump = backend.fork_choice();
    axum::Json(json!({
        "justified_checkpoint": checkpoint_json(&dump.justified_checkpoint),
        "finalized_checkpoint": checkpoint_json(&dump.finalized_checkpoint),
        "fork_choice_nodes": dump.nodes.iter().map(node_json).collect::<Vec<_>>(),
        "extra_data": {
            "head_root": text(&dump.head_root), "proposer_boost_root": text(&dump.proposer_boost_root),
        },
    }))
}
