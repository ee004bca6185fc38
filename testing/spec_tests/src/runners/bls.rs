//! The vectors of BLS signatures: [`bls`](https://github.com/ethereum/consensus-specs/tree/master/tests/formats/bls) of
//! the specification, and [`bls12-381-tests`](https://github.com/ethereum/bls12-381-tests), here called `bls12_381`.
//!
//! Whatever can be said as a [`SignatureSet`] is also asked that way: alone, and in a batch with a set that is valid.
//! Blocks and gossip are verified so, and both ways must agree.

use anyhow::{anyhow, bail, ensure};
use blst::min_pk;
use crypto::{PublicKey, SecretKey, Signature, SignatureSet};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::case::Case;

/// The batches' randomness; vectors do not try to foresee it.
const SEED: [u8; 32] = [42; 32];

/// The tag of [RFC 9380](https://www.rfc-editor.org/rfc/rfc9380#appendix-J.10.1)'s own examples.
const RFC_9380_TAG: &[u8] = b"QUUX-V01-CS02-with-BLS12381G2_XMD:SHA-256_SSWU_RO_";

/// Bytes of any length, from their hexadecimal text.
struct Hex(Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        hex::decode(digits).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Hex {
    /// The key, or none where the bytes are no valid one, or not as many as a key has.
    fn pubkey(&self) -> Option<PublicKey> {
        PublicKey::from_compressed(self.0.as_slice().try_into().ok()?).ok()
    }

    fn signature(&self) -> Option<Signature> {
        Signature::from_compressed(self.0.as_slice().try_into().ok()?).ok()
    }
}

fn pubkeys(keys: &[Hex]) -> Option<Vec<PublicKey>> {
    keys.iter().map(Hex::pubkey).collect()
}

#[derive(Deserialize)]
struct Data<I, O> {
    input: I,
    output: O,
}

#[derive(Deserialize)]
struct One {
    pubkey: Hex,
    message: Hex,
    signature: Hex,
}

#[derive(Deserialize)]
struct OneMessage {
    pubkeys: Vec<Hex>,
    message: Hex,
    signature: Hex,
}

#[derive(Deserialize)]
struct ManyMessages {
    pubkeys: Vec<Hex>,
    messages: Vec<Hex>,
    signature: Hex,
}

#[derive(Deserialize)]
struct Batch {
    pubkeys: Vec<Hex>,
    messages: Vec<Hex>,
    signatures: Vec<Hex>,
}

pub fn run(case: &Case) -> super::Result {
    match case.handler.as_str() {
        "sign" => sign(case),
        "verify" => check(case, verify),
        "aggregate" => aggregate(case),
        "aggregate_verify" => check(case, aggregate_verify),
        "fast_aggregate_verify" => check(case, |input: &OneMessage| {
            fast_aggregate_verify(input, crypto::fast_aggregate_verify, false)
        }),
        "eth_fast_aggregate_verify" => check(case, |input: &OneMessage| {
            fast_aggregate_verify(input, crypto::eth_fast_aggregate_verify, true)
        }),
        "eth_aggregate_pubkeys" => eth_aggregate_pubkeys(case),
        "batch_verify" => check(case, batch_verify),
        "deserialization_G1" => check(case, deserialization_g1),
        "deserialization_G2" => check(case, deserialization_g2),
        "hash_to_G2" => hash_to_g2(case),
        other => bail!("no handler {other}"),
    }
}

/// The case's only file: JSON in one set, YAML in the other.
fn data<I: DeserializeOwned, O: DeserializeOwned>(case: &Case) -> anyhow::Result<Data<I, O>> {
    if case.has("data.json") {
        return Ok(serde_json::from_str(&case.text("data.json")?)?);
    }
    case.yaml("data.yaml")
}

/// Compares a yes or no with the case's.
fn check<I: DeserializeOwned>(case: &Case, ask: impl Fn(&I) -> anyhow::Result<bool>) -> super::Result {
    let Data::<I, bool> { input, output } = data(case)?;
    let found = ask(&input)?;
    ensure!(found == output, "found {found}, expected {output}");
    Ok(())
}

/// Compares bytes, or that there are none because the input is invalid.
fn check_bytes(found: Option<&[u8]>, expected: Option<Hex>) -> super::Result {
    let expected = expected.map(|bytes| bytes.0);
    let text = |bytes: Option<&[u8]>| bytes.map_or("a refusal".to_owned(), hex::encode);
    ensure!(found == expected.as_deref(), "found {}, expected {}", text(found), text(expected.as_deref()));
    Ok(())
}

fn sign(case: &Case) -> super::Result {
    #[derive(Deserialize)]
    struct Input {
        privkey: Hex,
        message: Hex,
    }
    let Data::<Input, Option<Hex>> { input, output } = data(case)?;
    let key = input.privkey.0.as_slice().try_into().ok().and_then(|bytes| SecretKey::from_bytes(bytes).ok());
    let found = key.map(|key| key.sign(&input.message.0).compress());
    check_bytes(found.as_ref().map(|bytes| &bytes[..]), output)
}

fn verify(input: &One) -> anyhow::Result<bool> {
    let (pubkey, signature) = (input.pubkey.pubkey(), input.signature.signature());
    let found = pubkey
        .zip(signature)
        .is_some_and(|(pubkey, signature)| crypto::verify(&pubkey, &input.message.0, &signature));
    if let Some(pubkey) = pubkey {
        agree(found, &input.message, &input.signature, &[pubkey])?;
    }
    Ok(found)
}

fn aggregate(case: &Case) -> super::Result {
    let Data::<Vec<Hex>, Option<Hex>> { input, output } = data(case)?;
    let signatures: Option<Vec<Signature>> = input.iter().map(Hex::signature).collect();
    let found = signatures.and_then(|signatures| crypto::aggregate(&signatures).ok());
    check_bytes(found.map(|sum| sum.compress()).as_ref().map(|bytes| &bytes[..]), output)
}

fn aggregate_verify(input: &ManyMessages) -> anyhow::Result<bool> {
    let messages: Vec<&[u8]> = input.messages.iter().map(|message| message.0.as_slice()).collect();
    let (pubkeys, signature) = (pubkeys(&input.pubkeys), input.signature.signature());
    Ok(pubkeys
        .zip(signature)
        .is_some_and(|(pubkeys, signature)| crypto::aggregate_verify(&pubkeys, &messages, &signature)))
}

/// `empty_may_be_valid` where the function lets nobody sign nothing, which no signature set does.
fn fast_aggregate_verify(
    input: &OneMessage,
    ask: fn(&[PublicKey], &[u8], &Signature) -> bool,
    empty_may_be_valid: bool,
) -> anyhow::Result<bool> {
    let Some(pubkeys) = pubkeys(&input.pubkeys) else { return Ok(false) };
    let signature = input.signature.signature();
    let found = signature.is_some_and(|signature| ask(&pubkeys, &input.message.0, &signature));
    let as_set = found && !(empty_may_be_valid && pubkeys.is_empty());
    agree(as_set, &input.message, &input.signature, &pubkeys)?;
    Ok(found)
}

fn eth_aggregate_pubkeys(case: &Case) -> super::Result {
    let Data::<Vec<Hex>, Option<Hex>> { input, output } = data(case)?;
    let sum = pubkeys(&input).and_then(|keys| crypto::eth_aggregate_pubkeys(&keys).ok());
    check_bytes(sum.map(|sum| sum.compress()).as_ref().map(|bytes| &bytes[..]), output)
}

fn batch_verify(input: &Batch) -> anyhow::Result<bool> {
    let Batch { pubkeys, messages, signatures } = input;
    ensure!(
        pubkeys.len() == messages.len() && messages.len() == signatures.len(),
        "the lists differ in length"
    );
    let Some(keys) = self::pubkeys(pubkeys) else { return Ok(false) };
    let sets = keys.into_iter().zip(messages).zip(signatures);
    let sets = sets.map(|((key, message), signature)| set(message, signature, &[key]));
    let Some(sets) = sets.collect::<Option<Vec<SignatureSet>>>() else { return Ok(false) };
    let found = crypto::verify_signature_sets(&sets, SEED);
    let alone: Vec<usize> = (0..sets.len()).filter(|place| !sets[*place].verify()).collect();
    ensure!(found == alone.is_empty(), "the batch is {found}, but alone the sets at {alone:?} are invalid");
    let searched = crypto::find_invalid(&sets, SEED);
    ensure!(
        searched == alone,
        "invalid sets were sought and found at {searched:?}, alone they are {alone:?}"
    );
    Ok(found)
}

fn deserialization_g1(input: &Pubkey) -> anyhow::Result<bool> {
    let Ok(bytes) = input.pubkey.0.as_slice().try_into() else { return Ok(false) };
    // Infinity is a point of the group, but nobody's key: that is found only once the bytes are decoded.
    Ok(matches!(PublicKey::from_compressed(bytes), Ok(_) | Err(crypto::BlsError::PublicKeyAtInfinity)))
}

#[derive(Deserialize)]
struct Pubkey {
    pubkey: Hex,
}

fn deserialization_g2(input: &SignatureOnly) -> anyhow::Result<bool> {
    Ok(input.signature.signature().is_some())
}

#[derive(Deserialize)]
struct SignatureOnly {
    signature: Hex,
}

/// The vectors use another domain separation tag than Ethereum does, so the library beneath `crypto` is asked:
/// a signature with the secret key one is the hash itself.
fn hash_to_g2(case: &Case) -> super::Result {
    #[derive(Deserialize)]
    struct Input {
        msg: String,
    }
    #[derive(Deserialize)]
    struct Output {
        x: String,
        y: String,
    }
    let Data::<Input, Output> { input, output } = data(case)?;
    let mut one = [0; 32];
    one[31] = 1;
    let one =
        min_pk::SecretKey::from_bytes(&one).map_err(|error| anyhow!("one is no secret key: {error:?}"))?;
    let point = one.sign(input.msg.as_bytes(), RFC_9380_TAG, &[]).serialize();
    // A coordinate is two numbers; the vectors name the real part first, the encoding has it last.
    let coordinate =
        |bytes: &[u8]| format!("0x{},0x{}", hex::encode(&bytes[48..]), hex::encode(&bytes[..48]));
    let (x, y) = (coordinate(&point[..96]), coordinate(&point[96..]));
    ensure!((&x, &y) == (&output.x, &output.y), "found x {x} and y {y}");
    Ok(())
}

/// None where the message is no root or the signature has another length.
fn set(message: &Hex, signature: &Hex, pubkeys: &[PublicKey]) -> Option<SignatureSet> {
    let message = message.0.as_slice().try_into().ok()?;
    Some(SignatureSet::of_keys(message, signature.0.as_slice().try_into().ok()?, pubkeys))
}

/// Asks the same as a signature set: alone, and beside a valid one.
fn agree(expected: bool, message: &Hex, signature: &Hex, pubkeys: &[PublicKey]) -> super::Result {
    let Some(set) = set(message, signature, pubkeys) else { return Ok(()) };
    ensure!(set.verify() == expected, "as a signature set it is {}", !expected);
    let key = SecretKey::from_bytes(&[1; 32]).map_err(|error| anyhow!("{error}"))?;
    let valid = SignatureSet {
        message: set.message,
        signature: key.sign(&set.message).compress(),
        pubkey: key.public_key(),
    };
    let found = crypto::verify_signature_sets(&[valid, set], SEED);
    ensure!(found == expected, "beside a valid signature set it is {found}");
    Ok(())
}
