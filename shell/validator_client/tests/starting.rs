//! Starts that must fail: one line, and nothing is changed.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use keys::{KdfCost, Keystore, KeystoreEntropy, interop_secret_key};
use types::{BlsPubkey, Root, Spec};
use validator_client::{Config, KeySource, ValidatorClient};

struct Folder {
    keystores: PathBuf,
    secrets: PathBuf,
    temporary: tempfile::TempDir,
}

impl Folder {
    /// Keystores of the first interop keys, with passwords.
    fn new(count: u64) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let (keystores, secrets) = (temporary.path().join("keystores"), temporary.path().join("secrets"));
        std::fs::create_dir_all(&keystores).unwrap();
        std::fs::create_dir_all(&secrets).unwrap();
        let folder = Self { keystores, secrets, temporary };
        for index in 0..count {
            let key = interop_secret_key(index);
            let byte = u8::try_from(index).unwrap();
            let entropy = KeystoreEntropy { salt: [byte; 32], iv: [byte; 16], uuid: [byte; 16] };
            let keystore = Keystore::encrypt(&key, "secret", KdfCost::Pbkdf2 { c: 2 }, &entropy, "").unwrap();
            std::fs::write(folder.keystore(index), keystore.to_json()).unwrap();
            std::fs::write(folder.secrets.join(pubkey(index)), "secret\n").unwrap();
        }
        folder
    }

    fn keystore(&self, index: u64) -> PathBuf {
        self.keystores.join(format!("{index}.json"))
    }

    fn config(&self, data_dir: &str) -> Config {
        let (keystores_dir, secrets_dir) = (self.keystores.clone(), self.secrets.clone());
        Config {
            spec: Spec::minimal(),
            genesis_time: 1_700_000_000,
            genesis_validators_root: Root::from([5; 32]),
            beacon_node: "http://127.0.0.1:1".into(),
            data_dir: self.temporary.path().join(data_dir),
            keys: KeySource::Keystores { keystores_dir, secrets_dir },
            signed_log: None,
            metrics: None,
            graffiti: Root::ZERO,
            suggested_fee_recipient: None,
        }
    }

    fn refusal(&self, config: Config) -> String {
        let line = ValidatorClient::open(config).unwrap_err().to_string();
        assert!(!line.contains('\n'), "{line}");
        line
    }
}

fn pubkey(index: u64) -> String {
    BlsPubkey::from(interop_secret_key(index).public_key().compress()).to_string()
}

fn real(path: &Path) -> String {
    path.canonicalize().unwrap().display().to_string()
}

#[test]
fn keystores_open_with_their_passwords_also_in_folders_of_their_own() {
    let folder = Folder::new(3);
    let nested = folder.keystores.join(pubkey(2));
    std::fs::create_dir(&nested).unwrap();
    std::fs::rename(folder.keystore(2), nested.join("voting-keystore.json")).unwrap();
    std::fs::rename(
        folder.secrets.join(pubkey(1)),
        folder.secrets.join(format!("{}.txt", pubkey(1).trim_start_matches("0x"))),
    )
    .unwrap();
    let client = ValidatorClient::open(folder.config("data")).unwrap();
    let mut keys: Vec<String> = client.pubkeys().map(ToString::to_string).collect();
    keys.sort();
    let mut expected: Vec<String> = (0..3).map(pubkey).collect();
    expected.sort();
    assert_eq!(keys, expected);
}

#[test]
fn a_wrong_password_names_the_keystore_and_nothing_is_created() {
    let folder = Folder::new(3);
    std::fs::write(folder.secrets.join(pubkey(1)), "wrong").unwrap();
    let line = folder.refusal(folder.config("data"));
    assert_eq!(line, format!("keystore {}: wrong password", real(&folder.keystore(1))));
    assert!(!folder.temporary.path().join("data").exists());
}

#[test]
fn a_missing_password_names_the_file_that_is_wanted() {
    let folder = Folder::new(2);
    let secret = folder.secrets.join(pubkey(0));
    std::fs::remove_file(&secret).unwrap();
    let line = folder.refusal(folder.config("data"));
    let expected = format!(
        "keystore {}: no password: there is no file {}",
        folder.keystore(0).display(),
        secret.display()
    );
    assert_eq!(line, expected);
}

#[test]
fn a_key_in_use_is_refused_whatever_the_data_folder_and_is_free_when_its_client_is_gone() {
    let folder = Folder::new(2);
    let first = ValidatorClient::open(folder.config("data")).unwrap();
    let line = folder.refusal(folder.config("other"));
    assert_eq!(
        line,
        format!(
            "validator key already in use by a running client: {} (process {})",
            pubkey(0),
            std::process::id()
        )
    );
    assert!(!folder.temporary.path().join("other").exists());
    drop(first);
    ValidatorClient::open(folder.config("other")).unwrap();
}

#[test]
fn a_data_folder_in_use_is_refused_though_the_keys_are_free() {
    let folder = Folder::new(1);
    let interop = |range| Config { keys: KeySource::Interop(range), ..folder.config("data") };
    let first = ValidatorClient::open(interop(0..2)).unwrap();
    let line = folder.refusal(interop(4..6));
    assert!(line.starts_with("validator key already in use by a running client: "), "{line}");
    assert!(line.contains("slashing_protection.sqlite"), "{line}");
    drop(first);
    ValidatorClient::open(interop(4..6)).unwrap();
}

#[test]
fn one_key_in_two_keystores_is_refused() {
    let folder = Folder::new(1);
    std::fs::copy(folder.keystore(0), folder.keystores.join("copy.json")).unwrap();
    let line = folder.refusal(folder.config("data"));
    assert!(line.contains("holds the same key") && line.contains(&pubkey(0)), "{line}");
}

#[test]
fn folders_without_keystores_and_files_that_are_none_are_named() {
    let folder = Folder::new(0);
    let line = folder.refusal(folder.config("data"));
    assert_eq!(line, format!("no keystores (*.json) in {}", folder.keystores.display()));
    std::fs::write(folder.keystore(0), "{}").unwrap();
    let line = folder.refusal(folder.config("data"));
    assert!(
        line.starts_with(&format!("keystore {}: not a keystore", folder.keystore(0).display())),
        "{line}"
    );
    let missing = Config {
        keys: KeySource::Keystores {
            keystores_dir: "/nonexistent-keystores".into(),
            secrets_dir: folder.secrets.clone(),
        },
        ..folder.config("data")
    };
    assert!(folder.refusal(missing).starts_with("/nonexistent-keystores: "));
}

#[test]
fn a_history_of_another_network_is_refused() {
    let folder = Folder::new(1);
    drop(ValidatorClient::open(folder.config("data")).unwrap());
    let line =
        folder.refusal(Config { genesis_validators_root: Root::from([6; 32]), ..folder.config("data") });
    assert!(line.contains("is of another network"), "{line}");
}
