//! What an operator and the API are told of the execution engines.

use std::sync::Arc;
use std::time::Duration;

use chain::View;
use execution::{Backoff, Engine, EngineState, Engines, EnginesConfig, RpcConfig};
use fork_choice::ExecutionStatus;
use types::constants::FAR_FUTURE_EPOCH;
use types::{ForkName, Spec};

/// The engines of a node; none where none are configured, which is said where it matters.
pub fn engines(spec: &Spec, configured: &[RpcConfig]) -> Option<Arc<Engines>> {
    if configured.is_empty() {
        if spec.fork_epoch(ForkName::Bellatrix) != FAR_FUTURE_EPOCH {
            tracing::error!(
                bellatrix_epoch = spec.fork_epoch(ForkName::Bellatrix).0,
                "no execution engine is configured (--execution URL): blocks with execution payloads, which this network \
                 has from Bellatrix on, cannot be verified, and the node will not follow them"
            );
        }
        return None;
    }
    let is_scheduled = |fork: &ForkName| spec.fork_epoch(*fork) != FAR_FUTURE_EPOCH;
    let config = EnginesConfig {
        chain_id: spec.config.deposit_chain_id,
        latest_fork: ForkName::ALL.into_iter().rfind(is_scheduled).unwrap_or(ForkName::Phase0),
        // Engines that answer are asked in every slot anyway; short slots want a short look.
        backoff: Backoff {
            healthy: Duration::from_millis(spec.config.slot_duration_ms),
            ..Backoff::default()
        },
    };
    let engines = configured.iter().cloned().map(Engine::new).collect();
    Some(Arc::new(Engines::new(engines, config)))
}

/// The state of the engine that is, or would be, asked first; none without engines.
pub fn best_state(engines: Option<&Engines>) -> Option<EngineState> {
    engines?.states().into_iter().map(|(_, state)| state).min()
}

/// True where no engine can be asked, on a chain that needs one.
pub fn is_offline(engines: Option<&Engines>, view: &View) -> bool {
    match best_state(engines) {
        Some(state) => !state.is_usable(),
        // Before the merge nothing is missed.
        None => view.head.execution != ExecutionStatus::Irrelevant,
    }
}

/// One or two words for what an engine is.
pub fn engine_text(state: EngineState) -> &'static str {
    match state {
        EngineState::Online => "online",
        EngineState::Syncing => "syncing",
        EngineState::Unchecked => "not asked yet",
        EngineState::Offline => "offline",
        EngineState::Unauthorized => "does not accept our JWT",
        EngineState::WrongChain => "of another chain",
    }
}

/// One or two words for the log line of a slot: what the engine is, and what it said of the head.
pub fn text(engines: Option<&Engines>, view: &View) -> String {
    let engine = best_state(engines).map_or("no engine", engine_text);
    match view.head.execution {
        ExecutionStatus::Irrelevant if engines.is_none() => "-".to_owned(),
        ExecutionStatus::Irrelevant => engine.to_owned(),
        ExecutionStatus::Valid { .. } => format!("{engine}, head valid"),
        ExecutionStatus::NotValidated { .. } => format!("{engine}, head optimistic"),
        ExecutionStatus::Invalidated { .. } => format!("{engine}, head invalid"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;
    use types::Root;

    #[test]
    fn what_is_said_of_the_head_follows_engine_and_verdict() {
        let mut view = (**World::new().chain.view()).clone();
        let rpc = RpcConfig { url: "http://127.0.0.1:1".to_owned(), secret: None, timeout_ms_max: Some(1) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _guard = runtime.enter();
        let engines = engines(view.spec, &[rpc]).unwrap();
        assert_eq!(text(None, &view), "-");
        assert_eq!(text(Some(&engines), &view), "not asked yet");
        assert!(!is_offline(None, &view), "before the merge nothing is missed");

        view.head.execution = ExecutionStatus::NotValidated { block_hash: Root::ZERO };
        assert_eq!(text(None, &view), "no engine, head optimistic");
        assert!(is_offline(None, &view));
        runtime.block_on(engines.check_due());
        view.head.execution = ExecutionStatus::Valid { block_hash: Root::ZERO };
        assert_eq!(text(Some(&engines), &view), "offline, head valid");
        assert!(is_offline(Some(&engines), &view));
    }
}
