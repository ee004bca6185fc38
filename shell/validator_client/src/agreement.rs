//! Whether the beacon node is of the network that this client was configured for. A signature under another fork
//! version or genesis would be void at best.

use api::{Client, ClientError, Genesis};
use serde_json::Value;
use types::constants::FAR_FUTURE_EPOCH;
use types::{Epoch, ForkName, Spec};

use crate::Config;

/// What came of the comparison.
pub(crate) enum Agreement {
    /// Same network.
    Same,
    /// Another network; says what differs.
    Other(String),
}

/// Asks the node for its genesis and its configuration, and compares.
pub(crate) async fn compare(client: &Client, config: &Config) -> Result<Agreement, ClientError> {
    let genesis = client.genesis().await?;
    let spec = client.spec().await?;
    let difference = genesis_differs(&genesis, config).or_else(|| spec_differs(&spec, config.spec));
    Ok(difference.map_or(Agreement::Same, Agreement::Other))
}

fn differs(what: &str, theirs: impl std::fmt::Display, ours: impl std::fmt::Display) -> Option<String> {
    Some(format!("its {what} is {theirs}, the network folder says {ours}"))
}

fn genesis_differs(genesis: &Genesis, config: &Config) -> Option<String> {
    let ours = config.genesis_validators_root;
    if genesis.genesis_validators_root != ours {
        return differs("genesis_validators_root", genesis.genesis_validators_root, ours);
    }
    let ours = config.spec.config.genesis_fork_version;
    if genesis.genesis_fork_version != ours {
        return differs("genesis_fork_version", genesis.genesis_fork_version, ours);
    }
    if genesis.genesis_time != config.genesis_time {
        return differs("genesis_time", genesis.genesis_time, config.genesis_time);
    }
    None
}

/// Compares what duties and signing domains depend on. A key that the node does not report is passed over: an older
/// node does not know of later forks.
fn spec_differs(theirs: &Value, spec: &Spec) -> Option<String> {
    let reported = |key: &str| theirs.get(key).and_then(Value::as_str).map(str::to_lowercase);
    let mut keys: Vec<(String, String)> = vec![
        ("SLOTS_PER_EPOCH".into(), spec.preset.slots_per_epoch.to_string()),
        ("MAX_COMMITTEES_PER_SLOT".into(), spec.preset.max_committees_per_slot.to_string()),
        ("TARGET_COMMITTEE_SIZE".into(), spec.preset.target_committee_size.to_string()),
        ("MAX_VALIDATORS_PER_COMMITTEE".into(), spec.preset.max_validators_per_committee.to_string()),
        ("SHUFFLE_ROUND_COUNT".into(), spec.preset.shuffle_round_count.to_string()),
        ("GENESIS_FORK_VERSION".into(), spec.fork_version(ForkName::Phase0).to_string()),
    ];
    let ms = spec.config.slot_duration_ms;
    if reported("SLOT_DURATION_MS").is_some() {
        keys.push(("SLOT_DURATION_MS".into(), ms.to_string()));
    } else if ms.is_multiple_of(1000) {
        keys.push(("SECONDS_PER_SLOT".into(), (ms / 1000).to_string()));
    }
    for fork in ForkName::ALL.into_iter().skip(1) {
        let name = fork.as_str().to_uppercase();
        let epoch = spec.fork_epoch(fork);
        // The version of a fork that neither side has scheduled signs nothing.
        let scheduled = |epoch: &Epoch| *epoch != FAR_FUTURE_EPOCH;
        let theirs = reported(&format!("{name}_FORK_EPOCH")).and_then(|text| text.parse::<Epoch>().ok());
        if scheduled(&epoch) || theirs.as_ref().is_some_and(scheduled) {
            keys.push((format!("{name}_FORK_EPOCH"), epoch.to_string()));
            keys.push((format!("{name}_FORK_VERSION"), spec.fork_version(fork).to_string()));
        }
    }
    keys.into_iter().find_map(|(key, ours)| {
        let theirs = reported(&key)?;
        if theirs == ours { None } else { differs(&key, theirs, ours) }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_node_does_not_report_is_no_difference_and_what_it_reports_must_be_ours() {
        let spec = Spec::minimal();
        assert_eq!(spec_differs(&json!({}), spec), None);
        let same =
            json!({ "SLOTS_PER_EPOCH": "8", "GENESIS_FORK_VERSION": "0x00000001", "SECONDS_PER_SLOT": "6" });
        assert_eq!(spec_differs(&same, spec), None);
        let version = spec_differs(&json!({ "GENESIS_FORK_VERSION": "0x00000000" }), spec).unwrap();
        assert_eq!(version, "its GENESIS_FORK_VERSION is 0x00000000, the network folder says 0x00000001");
        let slots = spec_differs(&json!({ "SECONDS_PER_SLOT": "12" }), spec).unwrap();
        assert!(slots.starts_with("its SECONDS_PER_SLOT is 12"), "{slots}");
    }

    #[test]
    fn a_fork_that_only_the_node_has_scheduled_is_a_difference() {
        let spec = Spec::from_yaml("PRESET_BASE: 'minimal'\n", None).unwrap();
        let far = FAR_FUTURE_EPOCH.to_string();
        let unscheduled = json!({ "ALTAIR_FORK_EPOCH": far, "ALTAIR_FORK_VERSION": "0x99000000" });
        assert_eq!(spec_differs(&unscheduled, spec), None, "versions of forks that never come do not matter");
        let scheduled = json!({ "ALTAIR_FORK_EPOCH": "3" });
        assert!(spec_differs(&scheduled, spec).unwrap().starts_with("its ALTAIR_FORK_EPOCH is 3"));
    }
}
