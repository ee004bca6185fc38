//! Secret keys under a password: version 4 keystores of [EIP-2335](https://eips.ethereum.org/EIPS/eip-2335).
//!
//! ```text
//!   password ──▶ normalized ──kdf (salt)──▶ 32 bytes: │ AES key (16) │ checksum key (16) │
//!                                                            │                 │
//!   secret key ◀──────────────aes-128-ctr (iv)───────────────┘    sha256(checksum key, cipher text) = checksum
//! ```
//!
//! A keystore comes from outside, so reading one is bounded: the text by [`KEYSTORE_BYTES_MAX`], the work and the
//! memory of its key derivation as [`KdfCost`] says. All of it is checked before anything is computed.

mod json;
mod kdf;

use aes::cipher::{KeyIvInit, StreamCipher};
use crypto::{PublicKey, SecretKey};
use sha2::{Digest, Sha256};
use types::BlsPubkey;
use zeroize::Zeroizing;

pub use kdf::{KdfCost, PBKDF2_ROUNDS_MAX, SCRYPT_MEMORY_MAX, SCRYPT_WORK_MAX};

/// The longest keystore that is read, in bytes; a longer one is refused. Usual ones have about 1000.
pub const KEYSTORE_BYTES_MAX: usize = 64 << 10;

/// Why a keystore cannot be read, made or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeystoreError {
    /// Longer than [`KEYSTORE_BYTES_MAX`]; says how long.
    #[error("a keystore of {0} bytes, more than {KEYSTORE_BYTES_MAX}")]
    TooLong(usize),
    /// Not JSON, or a field is missing or of another kind; says what.
    #[error("not a keystore: {0}")]
    Malformed(String),
    /// Not version 4.
    #[error("keystore version {0} is not supported, only 4")]
    Version(u64),
    /// A function for key derivation that is neither `scrypt` nor `pbkdf2`.
    #[error("key derivation {0:?} is not supported, only scrypt and pbkdf2")]
    UnsupportedKdf(String),
    /// A pseudo-random function of `pbkdf2` that is not `hmac-sha256`.
    #[error("pseudo-random function {0:?} is not supported, only hmac-sha256")]
    UnsupportedPrf(String),
    /// A cipher that is not `aes-128-ctr`.
    #[error("cipher {0:?} is not supported, only aes-128-ctr")]
    UnsupportedCipher(String),
    /// A checksum that is not `sha256`.
    #[error("checksum {0:?} is not supported, only sha256")]
    UnsupportedChecksum(String),
    /// A derived key of another length than 32 bytes.
    #[error("a derived key of {0} bytes is not supported, only 32")]
    DerivedKeyLength(u64),
    /// Parameters with which the key derivation is not defined.
    #[error("{0:?} are no valid parameters")]
    KdfParameters(KdfCost),
    /// A key derivation that takes more memory or time than is allowed.
    #[error("{0:?} takes more memory or time than is allowed")]
    KdfTooCostly(KdfCost),
    /// A hexadecimal field that cannot be read; says which.
    #[error("{0} is not the hexadecimal text that it should be")]
    Hex(&'static str),
    /// The checksum does not fit: the password is wrong, or the file is damaged.
    #[error("wrong password")]
    WrongPassword,
    /// The password is right, but what it protects is no BLS secret key.
    #[error("the keystore holds no valid secret key")]
    NotASecretKey,
    /// The keystore names another public key than that of its secret key.
    #[error("the keystore says that its public key is {stated}, but it is {actual}")]
    PubkeyMismatch {
        /// What the file says.
        stated: BlsPubkey,
        /// What belongs to the secret key.
        actual: BlsPubkey,
    },
}

/// A secret key under a password, and what the file says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keystore {
    /// The price of one guess of the password.
    pub kdf: KdfCost,
    /// What makes equal passwords give different keys.
    pub salt: Vec<u8>,
    /// SHA-256 of the second half of the derived key and the cipher text.
    pub checksum: [u8; 32],
    /// The start of the cipher's counter.
    pub iv: [u8; 16],
    /// The encrypted secret key.
    pub cipher_text: [u8; 32],
    /// A text for the owner.
    pub description: Option<String>,
    /// The public key, unless the file does not tell. It is the file's word until the keystore was decrypted.
    pub pubkey: Option<BlsPubkey>,
    /// Where the key is in a tree of keys, as in [`crate::DerivationPath`]; empty for a key of no tree.
    pub path: String,
    /// The file's name for itself, a UUID.
    pub uuid: String,
}

/// Random bytes for a new keystore. Each keystore needs its own.
#[derive(Clone, Debug)]
pub struct KeystoreEntropy {
    /// For the key derivation.
    pub salt: [u8; 32],
    /// For the cipher. Two keys under one password and salt with the same `iv` would reveal their difference.
    pub iv: [u8; 16],
    /// For the UUID, whose version and variant bits are set over it.
    pub uuid: [u8; 16],
}

impl Keystore {
    /// Puts `key` under `password`. `path` says where the key is in a tree of keys, or is empty.
    ///
    /// An error where `kdf` is beyond the bounds, since nobody could open the result.
    pub fn encrypt(
        key: &SecretKey,
        password: &str,
        kdf: KdfCost,
        entropy: &KeystoreEntropy,
        path: &str,
    ) -> Result<Self, KeystoreError> {
        let derived = kdf.derive(password, &entropy.salt)?;
        let mut text = Zeroizing::new(key.to_bytes());
        apply_cipher(&derived, &entropy.iv, &mut text);
        Ok(Self {
            kdf,
            salt: entropy.salt.to_vec(),
            checksum: checksum(&derived, &text),
            iv: entropy.iv,
            cipher_text: *text,
            description: None,
            pubkey: Some(compressed(&key.public_key())),
            path: path.to_owned(),
            uuid: uuid_v4(entropy.uuid),
        })
    }

    /// The secret key. Takes the time that the file's key derivation asks for, usually half a second, and up to
    /// [`SCRYPT_MEMORY_MAX`] bytes.
    pub fn decrypt(&self, password: &str) -> Result<SecretKey, KeystoreError> {
        let derived = self.kdf.derive(password, &self.salt)?;
        if checksum(&derived, &self.cipher_text) != self.checksum {
            return Err(KeystoreError::WrongPassword);
        }
        let mut secret = Zeroizing::new(self.cipher_text);
        apply_cipher(&derived, &self.iv, &mut secret);
        let key = SecretKey::from_bytes(&secret).map_err(|_| KeystoreError::NotASecretKey)?;
        let actual = compressed(&key.public_key());
        match self.pubkey {
            Some(stated) if stated != actual => Err(KeystoreError::PubkeyMismatch { stated, actual }),
            _ => Ok(key),
        }
    }
}

fn compressed(key: &PublicKey) -> BlsPubkey {
    BlsPubkey::from(key.compress())
}

/// Encrypts and decrypts: the cipher is a stream that is added to the text.
fn apply_cipher(derived: &[u8; 32], iv: &[u8; 16], text: &mut [u8; 32]) {
    let key: [u8; 16] = derived[..16].try_into().expect("16 of 32 bytes");
    let key = Zeroizing::new(key);
    ctr::Ctr128BE::<aes::Aes128>::new((&*key).into(), iv.into()).apply_keystream(text);
}

fn checksum(derived: &[u8; 32], cipher_text: &[u8; 32]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(&derived[16..]);
    hasher.update(cipher_text);
    hasher.finalize().into()
}

/// The text of a random UUID.
fn uuid_v4(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PBKDF2: &str = include_str!("../tests/data/keystore_pbkdf2.json");
    const SCRYPT: &str = include_str!("../tests/data/keystore_scrypt.json");
    /// The password of EIP-2335's test cases, in letters that normalization turns into plain ones.
    const PASSWORD: &str = "𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑";
    const SECRET: &str = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
    const CHEAP: [KdfCost; 2] = [KdfCost::Pbkdf2 { c: 2 }, KdfCost::Scrypt { n: 2, r: 1, p: 1 }];

    fn entropy() -> KeystoreEntropy {
        KeystoreEntropy { salt: [1; 32], iv: [2; 16], uuid: [0xff; 16] }
    }

    fn key() -> SecretKey {
        SecretKey::from_bytes(&hex::decode(SECRET).unwrap().try_into().unwrap()).unwrap()
    }

    #[test]
    fn the_keystores_of_the_proposal_open_with_their_password_only() {
        for text in [PBKDF2, SCRYPT] {
            let keystore = Keystore::from_json(text).unwrap();
            for password in [PASSWORD, "testpassword🔑", "test\u{7f}pass\u{0}word\u{9f}🔑\n"] {
                let key = keystore.decrypt(password).unwrap();
                assert_eq!(hex::encode(key.to_bytes()), SECRET);
            }
            assert_eq!(keystore.decrypt("testpassword").unwrap_err(), KeystoreError::WrongPassword);
        }
    }

    #[test]
    fn encrypting_anew_gives_the_ciphers_of_the_proposal() {
        for text in [PBKDF2, SCRYPT] {
            let known = Keystore::from_json(text).unwrap();
            let entropy =
                KeystoreEntropy { salt: known.salt.clone().try_into().unwrap(), iv: known.iv, uuid: [0; 16] };
            let mut made = Keystore::encrypt(&key(), PASSWORD, known.kdf, &entropy, &known.path).unwrap();
            assert_eq!(made.uuid, "00000000-0000-4000-8000-000000000000");
            made.uuid.clone_from(&known.uuid);
            made.description.clone_from(&known.description);
            assert_eq!(made, known);
        }
    }

    #[test]
    fn a_new_keystore_survives_its_text() {
        for kdf in CHEAP {
            let made = Keystore::encrypt(&key(), "pass", kdf, &entropy(), "m/12381/3600/0/0/0").unwrap();
            assert_eq!(made.uuid, "ffffffff-ffff-4fff-bfff-ffffffffffff");
            let read = Keystore::from_json(&made.to_json()).unwrap();
            assert_eq!(read, made);
            assert_eq!(read.decrypt("pass").unwrap().to_bytes(), key().to_bytes());
            assert!(!made.to_json().contains(SECRET));
        }
    }

    #[test]
    fn a_keystore_that_names_another_public_key_is_refused() {
        let mut keystore = Keystore::encrypt(&key(), "pass", CHEAP[0], &entropy(), "").unwrap();
        let actual = keystore.pubkey.unwrap();
        let stated = BlsPubkey::from([3; 48]);
        keystore.pubkey = Some(stated);
        assert_eq!(keystore.decrypt("pass").unwrap_err(), KeystoreError::PubkeyMismatch { stated, actual });
        keystore.pubkey = None;
        assert!(keystore.decrypt("pass").is_ok());
    }

    #[test]
    fn what_is_no_secret_key_is_named_so_and_not_a_wrong_password() {
        let mut keystore = Keystore::encrypt(&key(), "pass", CHEAP[0], &entropy(), "").unwrap();
        let derived = keystore.kdf.derive("pass", &keystore.salt).unwrap();
        // The key 2^256 - 1 is beyond the curve's order.
        let mut text = [0xff; 32];
        apply_cipher(&derived, &keystore.iv, &mut text);
        keystore.cipher_text = text;
        assert_eq!(keystore.decrypt("pass").unwrap_err(), KeystoreError::WrongPassword);
        keystore.checksum = checksum(&derived, &text);
        assert_eq!(keystore.decrypt("pass").unwrap_err(), KeystoreError::NotASecretKey);
    }
}
