//! The text of a keystore, as the
//! [schema](https://eips.ethereum.org/EIPS/eip-2335#json-schema) describes it. Fields that it does not know are ignored.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use types::BlsPubkey;

use super::{KEYSTORE_BYTES_MAX, KdfCost, Keystore, KeystoreError};

#[derive(Serialize, Deserialize)]
struct Document {
    crypto: Modules,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pubkey: Option<String>,
    path: String,
    uuid: String,
    version: u64,
}

/// Read first, so that a keystore of another version is called that rather than malformed.
#[derive(Deserialize)]
struct VersionOnly {
    version: u64,
}

#[derive(Serialize, Deserialize)]
struct Modules {
    kdf: Module,
    checksum: Module,
    cipher: Module,
}

#[derive(Serialize, Deserialize)]
struct Module {
    function: String,
    params: Value,
    message: String,
}

#[derive(Deserialize)]
struct ScryptParams {
    dklen: u64,
    n: u64,
    r: u64,
    p: u64,
    salt: String,
}

#[derive(Deserialize)]
struct Pbkdf2Params {
    dklen: u64,
    c: u64,
    prf: String,
    salt: String,
}

#[derive(Deserialize)]
struct CipherParams {
    iv: String,
}

impl Keystore {
    /// Reads the JSON text. Everything that [`Keystore::decrypt`] relies on is checked, save the password.
    pub fn from_json(text: &str) -> Result<Self, KeystoreError> {
        if text.len() > KEYSTORE_BYTES_MAX {
            return Err(KeystoreError::TooLong(text.len()));
        }
        let VersionOnly { version } = read(serde_json::from_str(text))?;
        if version != 4 {
            return Err(KeystoreError::Version(version));
        }
        let document: Document = read(serde_json::from_str(text))?;
        let Modules { kdf, checksum, cipher } = document.crypto;
        let (kdf, salt) = read_kdf(kdf)?;
        if checksum.function != "sha256" {
            return Err(KeystoreError::UnsupportedChecksum(checksum.function));
        }
        if cipher.function != "aes-128-ctr" {
            return Err(KeystoreError::UnsupportedCipher(cipher.function));
        }
        let CipherParams { iv } = params(cipher.params)?;
        let pubkey = document.pubkey.map(|text| array(&text, "pubkey").map(BlsPubkey::from)).transpose()?;
        Ok(Self {
            kdf,
            salt,
            checksum: array(&checksum.message, "checksum.message")?,
            iv: array(&iv, "cipher.params.iv")?,
            cipher_text: array(&cipher.message, "cipher.message")?,
            description: document.description,
            pubkey,
            path: document.path,
            uuid: document.uuid,
        })
    }

    /// The JSON text, indented.
    pub fn to_json(&self) -> String {
        let salt = hex::encode(&self.salt);
        let (function, params) = match self.kdf {
            KdfCost::Scrypt { n, r, p } => {
                ("scrypt", json!({ "dklen": 32, "n": n, "r": r, "p": p, "salt": salt }))
            }
            KdfCost::Pbkdf2 { c } => {
                ("pbkdf2", json!({ "dklen": 32, "c": c, "prf": "hmac-sha256", "salt": salt }))
            }
        };
        let module =
            |function: &str, params, message| Module { function: function.to_owned(), params, message };
        let document = Document {
            crypto: Modules {
                kdf: module(function, params, String::new()),
                checksum: module("sha256", json!({}), hex::encode(self.checksum)),
                cipher: module(
                    "aes-128-ctr",
                    json!({ "iv": hex::encode(self.iv) }),
                    hex::encode(self.cipher_text),
                ),
            },
            description: self.description.clone(),
            pubkey: self.pubkey.map(|pubkey| hex::encode(pubkey.0)),
            path: self.path.clone(),
            uuid: self.uuid.clone(),
            version: 4,
        };
        serde_json::to_string_pretty(&document).expect("texts and numbers are always JSON")
    }
}

fn read_kdf(module: Module) -> Result<(KdfCost, Vec<u8>), KeystoreError> {
    let (cost, dklen, salt) = match module.function.as_str() {
        "scrypt" => {
            let ScryptParams { dklen, n, r, p, salt } = params(module.params)?;
            (KdfCost::Scrypt { n, r, p }, dklen, salt)
        }
        "pbkdf2" => {
            let Pbkdf2Params { dklen, c, prf, salt } = params(module.params)?;
            if prf != "hmac-sha256" {
                return Err(KeystoreError::UnsupportedPrf(prf));
            }
            (KdfCost::Pbkdf2 { c }, dklen, salt)
        }
        _ => return Err(KeystoreError::UnsupportedKdf(module.function)),
    };
    if dklen != 32 {
        return Err(KeystoreError::DerivedKeyLength(dklen));
    }
    cost.check()?;
    Ok((cost, bytes(&salt, "kdf.params.salt")?))
}

fn params<T: DeserializeOwned>(value: Value) -> Result<T, KeystoreError> {
    read(serde_json::from_value(value))
}

fn read<T>(result: serde_json::Result<T>) -> Result<T, KeystoreError> {
    result.map_err(|error| KeystoreError::Malformed(error.to_string()))
}

/// The schema knows no `0x`, but some tools write it.
fn bytes(text: &str, field: &'static str) -> Result<Vec<u8>, KeystoreError> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|_| KeystoreError::Hex(field))
}

fn array<const N: usize>(text: &str, field: &'static str) -> Result<[u8; N], KeystoreError> {
    bytes(text, field)?.try_into().map_err(|_| KeystoreError::Hex(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PBKDF2: &str = include_str!("../../tests/data/keystore_pbkdf2.json");
    const SCRYPT: &str = include_str!("../../tests/data/keystore_scrypt.json");

    /// What reading says when `from` is replaced in the text.
    fn changed(text: &str, from: &str, to: &str) -> Result<Keystore, KeystoreError> {
        assert!(text.contains(from), "{from}");
        Keystore::from_json(&text.replace(from, to))
    }

    #[test]
    fn a_text_that_is_read_and_written_says_the_same() {
        for text in [PBKDF2, SCRYPT] {
            let written = Keystore::from_json(text).unwrap().to_json();
            let [before, after] = [text, &written].map(|text| serde_json::from_str::<Value>(text).unwrap());
            assert_eq!(before, after);
        }
    }

    #[test]
    fn functions_that_are_not_supported_are_named() {
        use KeystoreError::*;
        assert_eq!(changed(PBKDF2, "\"pbkdf2\"", "\"argon2\""), Err(UnsupportedKdf("argon2".into())));
        assert_eq!(changed(PBKDF2, "hmac-sha256", "hmac-md5"), Err(UnsupportedPrf("hmac-md5".into())));
        assert_eq!(changed(PBKDF2, "aes-128-ctr", "rot13"), Err(UnsupportedCipher("rot13".into())));
        assert_eq!(changed(PBKDF2, "\"sha256\"", "\"crc32\""), Err(UnsupportedChecksum("crc32".into())));
        assert_eq!(changed(PBKDF2, "\"version\": 4", "\"version\": 3"), Err(Version(3)));
        assert_eq!(Keystore::from_json(r#"{"version": 3, "Crypto": {}}"#), Err(Version(3)));
        assert_eq!(changed(SCRYPT, "\"dklen\": 32", "\"dklen\": 64"), Err(DerivedKeyLength(64)));
    }

    #[test]
    fn a_file_that_asks_for_gigabytes_is_refused_as_it_is_read() {
        let kdf = KdfCost::Scrypt { n: 1 << 24, r: 8, p: 1 };
        assert_eq!(changed(SCRYPT, "262144", "16777216"), Err(KeystoreError::KdfTooCostly(kdf)));
        let kdf = KdfCost::Pbkdf2 { c: u64::MAX };
        assert_eq!(changed(PBKDF2, "262144", &u64::MAX.to_string()), Err(KeystoreError::KdfTooCostly(kdf)));
        let long = format!("{}{PBKDF2}", " ".repeat(KEYSTORE_BYTES_MAX));
        assert_eq!(Keystore::from_json(&long), Err(KeystoreError::TooLong(long.len())));
    }

    #[test]
    fn fields_that_are_damaged_or_missing_are_named() {
        use KeystoreError::*;
        assert_eq!(changed(PBKDF2, "\"8a9f", "\"8a"), Err(Hex("checksum.message")));
        assert_eq!(changed(PBKDF2, "\"264d", "\"xx4d"), Err(Hex("cipher.params.iv")));
        assert_eq!(changed(PBKDF2, "\"cee0", "\"cee0cee0"), Err(Hex("cipher.message")));
        assert_eq!(changed(PBKDF2, "\"d4e5", "\"d4e"), Err(Hex("kdf.params.salt")));
        assert_eq!(changed(PBKDF2, "\"9612", "\"\u{e9}12"), Err(Hex("pubkey")));
        for field in ["crypto", "kdf", "function", "salt", "prf", "dklen", "iv", "uuid", "path", "version"] {
            let error = changed(PBKDF2, &format!("\"{field}\""), "\"other\"").unwrap_err();
            assert!(matches!(&error, Malformed(text) if text.contains(field)), "{field}: {error}");
        }
        for text in ["", "{", "[]", "null", "{}", "\u{0}"] {
            assert!(matches!(Keystore::from_json(text), Err(Malformed(_))), "{text}");
        }
    }

    #[test]
    fn the_public_key_is_optional_and_may_carry_a_prefix() {
        let known = Keystore::from_json(PBKDF2).unwrap();
        assert_eq!(changed(PBKDF2, "\"9612", "\"0x9612").unwrap(), known);
        assert_eq!(changed(PBKDF2, "\"pubkey\"", "\"other\"").unwrap().pubkey, None);
    }
}
