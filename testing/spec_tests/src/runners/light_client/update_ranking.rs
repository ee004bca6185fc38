//! [`light_client/update_ranking`](https://github.com/ethereum/consensus-specs/blob/master/tests/formats/light_client/update_ranking.md):
//! updates from the best to the worst. Every pair is compared, both ways.

use anyhow::ensure;
use light_client::is_better_update;
use serde::Deserialize;
use types::LightClientUpdate;

use crate::case::Case;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    updates_count: usize,
}

pub fn run(case: &Case) -> crate::runners::Result {
    let spec = case.spec()?;
    let meta: Meta = case.yaml("meta.yaml")?;
    let updates: Vec<LightClientUpdate> = (0..meta.updates_count)
        .map(|number| super::object(case, &format!("updates_{number}"), case.fork_name()?))
        .collect::<anyhow::Result<_>>()?;
    ensure!(updates.len() > 1, "there is nothing to compare");
    for (place, better) in updates.iter().enumerate() {
        for (behind, worse) in updates[place + 1..].iter().enumerate() {
            let behind = place + 1 + behind;
            ensure!(is_better_update(spec, better, worse), "{place} is not better than {behind}");
            ensure!(!is_better_update(spec, worse, better), "{behind} is better than {place}");
        }
        ensure!(!is_better_update(spec, better, better), "{place} is better than itself");
    }
    Ok(())
}
