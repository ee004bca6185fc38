//! Head events of the beacon node, for as long as the client runs.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use tokio::sync::mpsc;
use validator::Input;

use crate::node_link::NodeLink;

const BACKOFF_MIN: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(8);

/// Follows head events into `inputs` until its receiver is gone; connects again whenever the stream ends, or is
/// silent for two epochs. Without events votes are cast at their latest time, so nothing depends on them.
pub(crate) async fn follow(link: Arc<NodeLink>, inputs: mpsc::Sender<Input>) {
    let config = &link.spec.config;
    let silence = Duration::from_millis(2 * link.spec.preset.slots_per_epoch * config.slot_duration_ms);
    let mut backoff = BACKOFF_MIN;
    while !inputs.is_closed() {
        match link.client.events(&["head"]).await {
            Ok(mut stream) => {
                link.note(None);
                while let Ok(Some(Ok((topic, data)))) = tokio::time::timeout(silence, stream.next()).await {
                    backoff = BACKOFF_MIN;
                    if topic == "head" && !forward(&data, &inputs).await {
                        return;
                    }
                }
            }
            Err(error) => link.note(Some(&error)),
        }
        tokio::time::sleep(backoff).await;
        backoff = (2 * backoff).min(BACKOFF_MAX);
    }
}

/// False where nobody listens any more.
async fn forward(data: &Value, inputs: &mpsc::Sender<Input>) -> bool {
    match head(data) {
        Some(head) => inputs.send(head).await.is_ok(),
        None => {
            tracing::debug!(%data, "a head event that cannot be read");
            true
        }
    }
}

fn head(data: &Value) -> Option<Input> {
    let text = |name: &str| data.get(name)?.as_str();
    Some(Input::Head {
        slot: text("slot")?.parse().ok()?,
        root: text("block")?.parse().ok()?,
        previous_duty_dependent_root: text("previous_duty_dependent_root")?.parse().ok()?,
        current_duty_dependent_root: text("current_duty_dependent_root")?.parse().ok()?,
    })
}
