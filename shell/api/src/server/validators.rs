//! Validators and balances of a state.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use serde_json::{Value, json};
use transition::accessors::validator_index;
use types::constants::FAR_FUTURE_EPOCH;
use types::{BeaconState, BlsPubkey, Ctx, Epoch, Gwei, SszExt, Validator, ValidatorIndex};

use super::Shared;
use super::parse::{Query, json_body};
use crate::envelope::{Envelope, text};
use crate::{ApiError, Found, StateId, ValidatorId, ValidatorInfo};

/// The [status](https://hackmd.io/ofFJ5gOmQpu1jjHilHbdQQ) of a validator in an epoch.
pub fn status(validator: &Validator, balance: u64, epoch: Epoch) -> &'static str {
    if epoch < validator.activation_epoch {
        return if validator.activation_eligibility_epoch == FAR_FUTURE_EPOCH {
            "pending_initialized"
        } else {
            "pending_queued"
        };
    }
    if epoch < validator.exit_epoch {
        return match (validator.exit_epoch == FAR_FUTURE_EPOCH, validator.slashed) {
            (true, _) => "active_ongoing",
            (false, true) => "active_slashed",
            (false, false) => "active_exiting",
        };
    }
    if epoch < validator.withdrawable_epoch {
        return if validator.slashed { "exited_slashed" } else { "exited_unslashed" };
    }
    if balance > 0 { "withdrawal_possible" } else { "withdrawal_done" }
}

/// Which validators a request wants.
#[derive(Default)]
struct Filter {
    ids: Option<(BTreeSet<ValidatorIndex>, HashSet<BlsPubkey>)>,
    statuses: Vec<String>,
}

impl Filter {
    fn new<'a>(ids: impl Iterator<Item = &'a str>, statuses: Vec<String>) -> Result<Self, ApiError> {
        let (mut indices, mut pubkeys) = (BTreeSet::new(), HashSet::new());
        for id in ids {
            match id.parse()? {
                ValidatorId::Index(index) => {
                    indices.insert(index);
                }
                ValidatorId::Pubkey(pubkey) => {
                    pubkeys.insert(pubkey);
                }
            }
        }
        let some = !indices.is_empty() || !pubkeys.is_empty();
        Ok(Self { ids: some.then_some((indices, pubkeys)), statuses })
    }

    fn of_query(query: Option<&str>) -> Result<Self, ApiError> {
        let query = Query::parse(query);
        Self::new(query.all("id"), query.all("status").map(str::to_owned).collect())
    }

    fn of_list(list: Option<&Value>, statuses: Option<&Value>) -> Result<Self, ApiError> {
        let texts = |value: Option<&Value>| -> Result<Vec<String>, ApiError> {
            let wrong = || ApiError::bad_request("expected arrays of strings");
            match value {
                None | Some(Value::Null) => Ok(Vec::new()),
                Some(Value::Array(items)) => {
                    items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
                }
                Some(_) => Err(wrong()),
            }
        };
        Self::new(texts(list)?.iter().map(String::as_str), texts(statuses)?)
    }

    fn wants(&self, info: &ValidatorInfo) -> bool {
        let by_id = self.ids.as_ref().is_none_or(|(indices, pubkeys)| {
            indices.contains(&info.index) || pubkeys.contains(&info.validator.pubkey)
        });
        // `active` stands for `active_ongoing` and its like.
        let by_status = self.statuses.is_empty()
            || self
                .statuses
                .iter()
                .any(|status| info.status == status || info.status.starts_with(&format!("{status}_")));
        by_id && by_status
    }

    /// The places in the registry that the filter can want, in order; none where only a pass over all of it can tell.
    /// Thousands of keys are looked up one by one where the state has an index of its keys, which nobody needs to make
    /// for one request.
    fn places(&self, state: &BeaconState) -> Option<BTreeSet<usize>> {
        let (indices, pubkeys) = self.ids.as_ref()?;
        let in_registry = |index: &ValidatorIndex| index.0 < state.validators.len() as u64;
        let mut places: BTreeSet<usize> =
            indices.iter().filter(|index| in_registry(index)).map(|index| index.as_usize()).collect();
        if !pubkeys.is_empty() {
            state.context.caches.pubkey_index.get()?;
            let found = pubkeys.iter().filter_map(|pubkey| validator_index(state, pubkey));
            places.extend(found.map(ValidatorIndex::as_usize));
        }
        Some(places)
    }

    fn select(&self, state: &BeaconState) -> Vec<ValidatorInfo> {
        let epoch = state.slot.epoch(state.spec());
        let info = |(place, (validator, balance)): (usize, (&Validator, &Gwei))| ValidatorInfo {
            index: ValidatorIndex(place as u64),
            balance: *balance,
            status: status(validator, balance.0, epoch),
            validator: validator.clone(),
        };
        match self.places(state) {
            Some(places) => {
                let at = |place| (place, (&state.validators[place], &state.balances[place]));
                places.into_iter().map(at).map(info).filter(|info| self.wants(info)).collect()
            }
            None => {
                let all = state.validators.iter().zip(state.balances.iter()).enumerate();
                all.map(info).filter(|info| self.wants(info)).collect()
            }
        }
    }

    async fn apply(self, found: &Found<Arc<BeaconState>>) -> Result<Vec<ValidatorInfo>, ApiError> {
        let state = found.value.clone();
        let select = move || self.select(&state);
        // A pass over a large registry takes milliseconds that other requests must not wait for.
        let selected = tokio::task::spawn_blocking(select).await;
        selected.map_err(|error| ApiError::internal(format!("the search failed: {error}")))
    }
}

fn info_json(info: &ValidatorInfo) -> Value {
    json!({
        "index": text(&info.index), "balance": text(&info.balance), "status": info.status,
        "validator": info.validator.to_json(Ctx::PLAIN),
    })
}

fn balance_json(info: &ValidatorInfo) -> Value {
    json!({ "index": text(&info.index), "balance": text(&info.balance) })
}

async fn answer(
    backend: Shared,
    id: &str,
    filter: Filter,
    json: fn(&ValidatorInfo) -> Value,
) -> Result<Response, ApiError> {
    let found = backend.state(id.parse::<StateId>()?).await?;
    let infos = filter.apply(&found).await?;
    Ok(Envelope::of(&found).json(Value::Array(infos.iter().map(json).collect())))
}

pub async fn list(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    answer(backend, &id, Filter::of_query(query.as_deref())?, info_json).await
}

pub async fn list_of_body(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let body = json_body(&body)?;
    answer(backend, &id, Filter::of_list(body.get("ids"), body.get("statuses"))?, info_json).await
}

pub async fn balances(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    answer(backend, &id, Filter::of_query(query.as_deref())?, balance_json).await
}

pub async fn balances_of_body(
    State(backend): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    answer(backend, &id, Filter::of_list(Some(&json_body(&body)?), None)?, balance_json).await
}

pub async fn one(
    State(backend): State<Shared>,
    Path((state_id, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let found = backend.state(state_id.parse::<StateId>()?).await?;
    let filter = Filter::new(std::iter::once(id.as_str()), Vec::new())?;
    let infos = filter.apply(&found).await?;
    let info = infos.first().ok_or_else(|| ApiError::not_found(format!("no validator {id} in the state")))?;
    Ok(Envelope::of(&found).json(info_json(info)))
}

#[cfg(test)]
mod tests {
    use types::{ForkName, Spec};

    use super::*;

    fn key(index: u64) -> BlsPubkey {
        let mut bytes = [0; 48];
        bytes[..8].copy_from_slice(&(index + 1).to_be_bytes());
        BlsPubkey::from(bytes)
    }

    fn registry(count: u64) -> BeaconState {
        let mut state = BeaconState::empty(Spec::minimal(), ForkName::Phase0);
        for index in 0..count {
            let active = index % 2 == 0;
            let activation_epoch = if active { Epoch(0) } else { FAR_FUTURE_EPOCH };
            let validator = Validator {
                pubkey: key(index),
                activation_epoch,
                exit_epoch: FAR_FUTURE_EPOCH,
                withdrawable_epoch: FAR_FUTURE_EPOCH,
                ..Validator::default()
            };
            state.validators.push(validator);
            state.balances.push(Gwei(32));
        }
        state
    }

    fn found(state: &BeaconState, ids: &[String], statuses: &[&str]) -> Vec<u64> {
        let statuses = statuses.iter().map(|status| (*status).to_owned()).collect();
        let filter = Filter::new(ids.iter().map(String::as_str), statuses).unwrap();
        filter.select(state).iter().map(|info| info.index.0).collect()
    }

    #[test]
    fn an_index_of_keys_changes_how_validators_are_found_but_not_which() {
        let state = registry(40);
        let ids =
            ["7".to_owned(), key(30).to_string(), key(4).to_string(), "99".to_owned(), key(70).to_string()];
        let all: Vec<u64> = (0..40).collect();
        for is_indexed in [false, true] {
            if is_indexed {
                assert_eq!(validator_index(&state, &key(3)), Some(ValidatorIndex(3)));
            }
            assert_eq!(state.context.caches.pubkey_index.get().is_some(), is_indexed);
            assert_eq!(found(&state, &ids, &[]), [4, 7, 30]);
            assert_eq!(found(&state, &ids, &["active"]), [4, 30]);
            assert_eq!(found(&state, &[], &[]), all);
            assert_eq!(found(&state, &["1000000".to_owned()], &[]), [0; 0]);
        }
    }

    #[test]
    fn a_search_makes_no_index_that_it_would_alone_use() {
        let state = registry(8);
        assert_eq!(found(&state, &[key(5).to_string()], &[]), [5]);
        assert!(state.context.caches.pubkey_index.get().is_none());
    }
}
