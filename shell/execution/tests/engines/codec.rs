//! The codec: what is written is read back, at every fork, and what is not of a fork is refused.

use engine::{
    BlobAndProofs, BlobsBundle, BuiltPayload, ForkchoiceState, NewPayload, PayloadAttributes, PayloadBody,
    PayloadStatus, PayloadVerdict,
};
use execution::codec;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use types::{
    Bytes, ConsolidationRequest, DepositRequest, ExecutionPayload, ExecutionRequests, FixedBytes, ForkName,
    Gwei, Uint256, ValidatorIndex, Withdrawal, WithdrawalRequest,
};

const FORKS: [ForkName; 5] =
    [ForkName::Bellatrix, ForkName::Capella, ForkName::Deneb, ForkName::Electra, ForkName::Fulu];

struct Random(ChaCha8Rng);

impl Random {
    fn bytes<const N: usize>(&mut self) -> FixedBytes<N> {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        FixedBytes(bytes)
    }

    /// Numbers of every length, the ends among them.
    fn number(&mut self) -> u64 {
        let shift = self.0.random_range(0..65u32);
        self.0.next_u64().checked_shr(shift).unwrap_or(0)
    }

    fn data(&mut self, most: usize) -> Bytes {
        let mut bytes = vec![0; self.0.random_range(0..=most)];
        self.0.fill_bytes(&mut bytes);
        Bytes(bytes)
    }

    fn list<T>(&mut self, most: usize, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.0.random_range(0..=most)).map(|_| one(self)).collect()
    }

    fn withdrawal(&mut self) -> Withdrawal {
        Withdrawal {
            index: self.number(),
            validator_index: ValidatorIndex(self.number()),
            address: self.bytes(),
            amount: Gwei(self.number()),
        }
    }

    fn payload(&mut self, fork: ForkName) -> ExecutionPayload {
        let mut payload = ExecutionPayload {
            parent_hash: self.bytes(),
            fee_recipient: self.bytes(),
            state_root: self.bytes(),
            receipts_root: self.bytes(),
            logs_bloom: self.bytes(),
            prev_randao: self.bytes(),
            block_number: self.number(),
            gas_limit: self.number(),
            gas_used: self.number(),
            timestamp: self.number(),
            extra_data: self.data(32),
            base_fee_per_gas: Uint256(self.bytes().0),
            block_hash: self.bytes(),
            transactions: self.list(5, |random| random.data(300)),
            ..ExecutionPayload::default()
        };
        if fork >= ForkName::Capella {
            payload.withdrawals = self.list(16, Self::withdrawal);
        }
        if fork >= ForkName::Deneb {
            (payload.blob_gas_used, payload.excess_blob_gas) = (self.number(), self.number());
        }
        payload
    }

    fn requests(&mut self, fork: ForkName) -> ExecutionRequests {
        if fork < ForkName::Electra {
            return ExecutionRequests::default();
        }
        ExecutionRequests {
            deposits: self.list(3, |random| DepositRequest {
                pubkey: random.bytes(),
                withdrawal_credentials: random.bytes(),
                amount: Gwei(random.number()),
                signature: random.bytes(),
                index: random.number(),
            }),
            withdrawals: self.list(3, |random| WithdrawalRequest {
                source_address: random.bytes(),
                validator_pubkey: random.bytes(),
                amount: Gwei(random.number()),
            }),
            consolidations: self.list(2, |random| ConsolidationRequest {
                source_address: random.bytes(),
                source_pubkey: random.bytes(),
                target_pubkey: random.bytes(),
            }),
        }
    }
}

fn for_all(test: impl Fn(ForkName, &mut Random)) {
    let mut random = Random(ChaCha8Rng::seed_from_u64(0x4558_4543));
    for fork in FORKS {
        (0..40).for_each(|_| test(fork, &mut random));
    }
}

#[test]
fn payloads_and_all_that_goes_with_them_round_trip_at_every_fork() {
    for_all(|fork, random| {
        let is_deneb = fork >= ForkName::Deneb;
        let request = NewPayload {
            fork,
            payload: random.payload(fork),
            versioned_hashes: if is_deneb { random.list(6, Random::bytes) } else { Vec::new() },
            parent_beacon_block_root: if is_deneb { random.bytes() } else { FixedBytes::ZERO },
            execution_requests: random.requests(fork),
        };
        let params = codec::new_payload_to_params(&request);
        let params = params.as_array().unwrap();
        let count = [1, 1, 3, 4, 4][FORKS.iter().position(|known| *known == fork).unwrap()];
        assert_eq!(params.len(), count, "{fork}");
        assert_eq!(codec::new_payload_from_params(fork, params), Ok(request));
    });
}

#[test]
fn attributes_and_states_round_trip_at_every_fork() {
    for_all(|fork, random| {
        let attributes = PayloadAttributes {
            timestamp: random.number(),
            prev_randao: random.bytes(),
            suggested_fee_recipient: random.bytes(),
            withdrawals: if fork >= ForkName::Capella {
                random.list(16, Random::withdrawal)
            } else {
                Vec::new()
            },
            parent_beacon_block_root: if fork >= ForkName::Deneb { random.bytes() } else { FixedBytes::ZERO },
        };
        let json = codec::attributes_to_json(fork, &attributes);
        assert_eq!(codec::attributes_from_json(fork, &json), Ok(attributes));
        let state = ForkchoiceState {
            head_block_hash: random.bytes(),
            safe_block_hash: random.bytes(),
            finalized_block_hash: random.bytes(),
        };
        assert_eq!(codec::forkchoice_state_from_json(&codec::forkchoice_state_to_json(&state)), Ok(state));
    });
}

fn blob(byte: u8) -> Bytes {
    Bytes(vec![byte; 131_072])
}

#[test]
fn built_payloads_blobs_and_bodies_round_trip_at_every_fork() {
    let mut random = Random(ChaCha8Rng::seed_from_u64(1));
    for fork in FORKS {
        let blobs = if fork >= ForkName::Deneb { 2 } else { 0 };
        let proofs = if fork >= ForkName::Fulu { 128 } else { 1 };
        let mut many = |count: usize| (0..count).map(|_| random.bytes()).collect::<Vec<FixedBytes<48>>>();
        let blobs_bundle = BlobsBundle {
            commitments: many(blobs),
            proofs: many(blobs * proofs),
            blobs: (0..blobs).map(|at| blob(at as u8)).collect(),
        };
        let has_value = fork > ForkName::Bellatrix;
        let built = BuiltPayload {
            fork,
            payload: random.payload(fork),
            block_value: if has_value { Uint256(random.bytes().0) } else { Uint256::default() },
            blobs_bundle,
            should_override_builder: fork >= ForkName::Deneb,
            execution_requests: random.requests(fork),
        };
        let json = codec::built_payload_to_json(&built);
        assert_eq!(codec::built_payload_from_json(fork, &json), Ok(built), "{fork}");

        if fork < ForkName::Deneb {
            continue;
        }
        let one = BlobAndProofs { blob: blob(9), proofs: vec![FixedBytes([3; 48]); proofs] };
        for blobs in [vec![Some(one.clone()), Some(one.clone())], vec![None, None]] {
            let json = codec::blobs_to_json(fork, &blobs);
            assert_eq!(codec::blobs_from_json(fork, 2, &json), Ok(blobs), "{fork}");
        }
        let some = [Some(one), None];
        let read = codec::blobs_from_json(fork, 2, &codec::blobs_to_json(fork, &some)).unwrap();
        assert_eq!(
            read.iter().flatten().count(),
            if fork >= ForkName::Fulu { 0 } else { 1 },
            "all or nothing in Fulu"
        );
    }
    let body = PayloadBody {
        transactions: vec![Bytes(vec![1]), Bytes(Vec::new())],
        withdrawals: Some(vec![random.withdrawal()]),
    };
    let bodies = vec![Some(body.clone()), None, Some(PayloadBody { withdrawals: None, ..body })];
    assert_eq!(codec::bodies_from_json(Some(3), &codec::bodies_to_json(&bodies)), Ok(bodies));
}

#[test]
fn statuses_round_trip_and_unknown_ones_are_refused() {
    use PayloadVerdict::{Accepted, Invalid, InvalidBlockHash, Syncing, Valid};
    for verdict in [Valid, Invalid, Syncing, Accepted, InvalidBlockHash] {
        let status = PayloadStatus {
            latest_valid_hash: (verdict == Invalid).then_some(FixedBytes([4; 32])),
            validation_error: (verdict == Invalid).then(|| "no".to_owned()),
            ..PayloadStatus::of(verdict)
        };
        assert_eq!(codec::status_from_json(&codec::status_to_json(&status)), Ok(status.clone()));
        let id = Some(FixedBytes([5; 8]));
        let read = codec::forkchoice_reply_from_json(&codec::forkchoice_reply_to_json(&status, id));
        let may = matches!(verdict, Valid | Invalid | Syncing);
        assert_eq!(read.ok(), may.then_some((status, id)), "{verdict:?}");
    }
    let error = codec::status_from_json(&json!({ "status": "FINE" })).unwrap_err().to_string();
    assert_eq!(error, "status: unknown status \"FINE\"");
    assert!(codec::status_from_json(&json!({ "latestValidHash": null })).is_err());
}

fn refused(fork: ForkName, change: impl Fn(&mut Value)) -> String {
    let mut json = codec::payload_to_json(fork, &ExecutionPayload::default());
    change(&mut json);
    codec::payload_from_json(fork, &json).unwrap_err().to_string()
}

#[test]
fn payloads_of_another_form_are_refused_with_the_field() {
    for fork in FORKS {
        let whole = codec::payload_to_json(fork, &ExecutionPayload::default());
        assert!(codec::payload_from_json(fork, &whole).is_ok());
        for key in whole.as_object().unwrap().keys() {
            let why = refused(fork, |json| {
                json.as_object_mut().unwrap().remove(key);
            });
            assert_eq!(why, format!("{key}: is missing"));
            let null = refused(fork, |json| json[key] = Value::Null);
            assert_eq!(null, format!("{key}: is missing"));
        }
    }
    let deneb = |key: &str, value: Value| refused(ForkName::Deneb, |json| json[key] = value.clone());
    assert!(deneb("gasLimit", json!("0x01")).starts_with("gasLimit: a quantity has no leading zeros"));
    assert!(deneb("gasLimit", json!(1)).starts_with("gasLimit: expected a text"));
    assert!(deneb("stateRoot", json!("0x00")).starts_with("stateRoot: expected 32 bytes"));
    assert!(deneb("extraData", json!(format!("0x{}", "00".repeat(33)))).starts_with("extraData: at most 32"));
    assert!(deneb("transactions", json!(["0x00", "0x0"])).starts_with("transactions.1: "));
    assert!(deneb("withdrawals", json!([{}])).starts_with("withdrawals.0.index: is missing"));
    // A payload of a later fork is none of an earlier one; null is as good as nothing.
    let later = refused(ForkName::Bellatrix, |json| json["withdrawals"] = json!([]));
    assert_eq!(later, "withdrawals: a payload of bellatrix has no such field");
    assert!(
        refused(ForkName::Capella, |json| json["blobGasUsed"] = json!("0x0")).starts_with("blobGasUsed: ")
    );
    let mut json = codec::payload_to_json(ForkName::Bellatrix, &ExecutionPayload::default());
    json["withdrawals"] = Value::Null;
    json["notInTheApi"] = json!(1);
    assert!(codec::payload_from_json(ForkName::Bellatrix, &json).is_ok());
}

#[test]
fn bundles_that_do_not_fit_together_are_refused() {
    let built = |fork, commitments: usize, proofs: usize, blobs: Vec<Bytes>| {
        let blobs_bundle = BlobsBundle {
            commitments: vec![FixedBytes([1; 48]); commitments],
            proofs: vec![FixedBytes([2; 48]); proofs],
            blobs,
        };
        let built = BuiltPayload {
            fork,
            payload: ExecutionPayload::default(),
            block_value: Uint256::default(),
            blobs_bundle,
            should_override_builder: false,
            execution_requests: ExecutionRequests::default(),
        };
        codec::built_payload_from_json(fork, &codec::built_payload_to_json(&built)).map(|_| ())
    };
    assert_eq!(built(ForkName::Electra, 1, 1, vec![blob(1)]), Ok(()));
    assert_eq!(built(ForkName::Fulu, 1, 128, vec![blob(1)]), Ok(()));
    assert!(built(ForkName::Fulu, 1, 1, vec![blob(1)]).is_err());
    assert!(built(ForkName::Electra, 1, 128, vec![blob(1)]).is_err());
    assert!(built(ForkName::Electra, 2, 1, vec![blob(1)]).is_err());
    let short = built(ForkName::Electra, 1, 1, vec![Bytes(vec![1; 131_071])]).unwrap_err().to_string();
    assert_eq!(short, "blobsBundle.blobs.0: a blob has 131072 bytes, found 131071");
}

/// Changes one place of a JSON value into something else.
fn damage(random: &mut Random, value: &mut Value) {
    let other = [
        Value::Null,
        json!(1),
        json!(""),
        json!("0x"),
        json!("0x0"),
        json!([]),
        json!({}),
        json!("0xzz"),
        json!(true),
    ];
    let replace = |random: &mut Random| other[random.0.random_range(0..other.len())].clone();
    match value {
        Value::Object(map) if !map.is_empty() => {
            let at = random.0.random_range(0..map.len());
            damage(random, map.values_mut().nth(at).unwrap());
        }
        Value::Array(list) if !list.is_empty() && random.0.random_range(0..4) > 0 => {
            let at = random.0.random_range(0..list.len());
            damage(random, &mut list[at]);
        }
        Value::String(text) if text.len() > 3 && random.0.random_range(0..2) == 0 => {
            text.truncate(random.0.random_range(0..text.len()));
        }
        other => *other = replace(random),
    }
}

#[test]
fn a_damaged_value_is_refused_or_is_written_as_what_was_read() {
    let mut refused = 0;
    let mut random = Random(ChaCha8Rng::seed_from_u64(77));
    for round in 0..3000 {
        let fork = FORKS[round % FORKS.len()];
        let request = NewPayload {
            fork,
            payload: random.payload(fork),
            versioned_hashes: Vec::new(),
            parent_beacon_block_root: FixedBytes::ZERO,
            execution_requests: random.requests(fork),
        };
        let mut params = codec::new_payload_to_params(&request);
        damage(&mut random, &mut params);
        match codec::new_payload_from_params(fork, params.as_array().map_or(&[], Vec::as_slice)) {
            Ok(read) => {
                let again = codec::new_payload_to_params(&read);
                let again = codec::new_payload_from_params(fork, again.as_array().unwrap());
                assert_eq!(again, Ok(read));
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 1000, "only {refused}");
}
