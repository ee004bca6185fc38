//! Keys at rest: finds keystores, locks them, and opens them with their passwords.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crypto::SecretKey;
use keys::{KEYSTORE_BYTES_MAX, Keystore};
use storage::{LockFile, lock_keystore};
use types::BlsPubkey;

use crate::{ClientFailure, KeySource};

/// Threads that open keystores: each may take 256 MiB, see [`keys::SCRYPT_MEMORY_MAX`].
const THREADS_MAX: usize = 4;
/// The longest password that is read, in bytes.
const PASSWORD_BYTES_MAX: u64 = 4096;

type Result<T> = std::result::Result<T, ClientFailure>;

/// Keys in use, and the locks that keep them from being used twice.
#[derive(Debug)]
pub(crate) struct LoadedKeys {
    pub(crate) keys: BTreeMap<BlsPubkey, SecretKey>,
    pub(crate) locks: Vec<LockFile>,
}

/// Loads all keys or none. Keystores are locked before they are opened, so that of two clients the second one is
/// turned away at once rather than after minutes of key derivation.
pub(crate) fn load(source: &KeySource) -> Result<LoadedKeys> {
    match source {
        KeySource::Interop(range) => {
            let key = |index| {
                let secret = keys::interop_secret_key(index);
                (BlsPubkey::from(secret.public_key().compress()), secret)
            };
            let keys: BTreeMap<_, _> = range.clone().map(key).collect();
            if keys.is_empty() {
                return Err(ClientFailure::NoKeys);
            }
            Ok(LoadedKeys { keys, locks: Vec::new() })
        }
        KeySource::Keystores { keystores_dir, secrets_dir } => {
            let sealed = read_all(keystores_dir, secrets_dir)?;
            let lock = |item: &Sealed| {
                lock_keystore(&item.path, &item.pubkey.0)
                    .map_err(|error| ClientFailure::of_lock(item.path.clone(), error))
            };
            let locks = sealed.iter().map(lock).collect::<Result<_>>()?;
            Ok(LoadedKeys { keys: open_all(&sealed)?, locks })
        }
    }
}

/// The keystores of a folder, in order of their names: its `*.json` files, and those of its folders. Names that
/// begin with a dot are passed over.
///
/// # Errors
/// [`ClientFailure::File`] where the folder cannot be read.
pub fn find_keystores(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in list(folder)? {
        if path.is_dir() {
            found.extend(list(&path)?.into_iter().filter(|path| is_keystore(path)));
        } else if is_keystore(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

fn is_keystore(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json") && path.is_file()
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|error| ClientFailure::file(folder, &error))?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| ClientFailure::file(folder, &error))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// A keystore that was read but not opened.
struct Sealed {
    path: PathBuf,
    pubkey: BlsPubkey,
    keystore: Keystore,
    password: String,
}

fn read_all(keystores_dir: &Path, secrets_dir: &Path) -> Result<Vec<Sealed>> {
    let mut sealed: Vec<Sealed> = Vec::new();
    let mut places: BTreeMap<BlsPubkey, usize> = BTreeMap::new();
    for path in find_keystores(keystores_dir)? {
        let item = read_one(&path, secrets_dir)?;
        if let Some(place) = places.insert(item.pubkey, sealed.len()) {
            let (other, pubkey) = (sealed[place].path.clone(), item.pubkey.to_string());
            return Err(ClientFailure::DuplicateKey { path, other, pubkey });
        }
        sealed.push(item);
    }
    if sealed.is_empty() {
        return Err(ClientFailure::NoKeystores(keystores_dir.to_owned()));
    }
    Ok(sealed)
}

fn read_one(path: &Path, secrets_dir: &Path) -> Result<Sealed> {
    let bad = |reason: String| ClientFailure::Keystore { path: path.to_owned(), reason };
    // Two names for one file must come to one lock.
    let real = path.canonicalize().map_err(|error| ClientFailure::file(path, &error))?;
    let size = std::fs::metadata(&real).map_err(|error| ClientFailure::file(path, &error))?.len();
    if size > KEYSTORE_BYTES_MAX as u64 {
        return Err(bad(format!("{size} bytes are too many for a keystore")));
    }
    let text = std::fs::read_to_string(&real).map_err(|error| ClientFailure::file(path, &error))?;
    let keystore = Keystore::from_json(&text).map_err(|error| bad(error.to_string()))?;
    let pubkey =
        keystore.pubkey.ok_or_else(|| bad("names no public key, which its password is found by".into()))?;
    let password = read_password(secrets_dir, &pubkey).map_err(bad)?;
    Ok(Sealed { path: real, pubkey, keystore, password })
}

/// The password of a key: the file `0x<pubkey>`, or one that other tools write, without `0x` or with `.txt`. A line
/// break at the end does not belong to it.
fn read_password(secrets_dir: &Path, pubkey: &BlsPubkey) -> std::result::Result<String, String> {
    let with = pubkey.to_string();
    let without = with.trim_start_matches("0x").to_owned();
    let names = [with.clone(), without.clone(), format!("{with}.txt"), format!("{without}.txt")];
    let paths = names.map(|name| secrets_dir.join(name));
    let path = paths.iter().find(|path| path.is_file());
    let path = path.ok_or_else(|| format!("no password: there is no file {}", paths[0].display()))?;
    let failed = |error: std::io::Error| format!("no password: {}: {error}", path.display());
    if std::fs::metadata(path).map_err(failed)?.len() > PASSWORD_BYTES_MAX {
        return Err(format!("no password: {} has more than {PASSWORD_BYTES_MAX} bytes", path.display()));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// Opens keystores on a few threads. Of several that fail, the first by name is reported.
fn open_all(sealed: &[Sealed]) -> Result<BTreeMap<BlsPubkey, SecretKey>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let opened: Mutex<BTreeMap<usize, Result<SecretKey>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..cores.min(THREADS_MAX).min(sealed.len()) {
            scope.spawn(|| {
                while let Some((place, item)) = take(&next, sealed) {
                    let result = item.keystore.decrypt(&item.password).map_err(|error| {
                        ClientFailure::Keystore { path: item.path.clone(), reason: error.to_string() }
                    });
                    if result.is_err() {
                        // Nothing after a failure is worth its time.
                        next.store(sealed.len(), Ordering::Relaxed);
                    }
                    opened.lock().expect("nobody panics while holding it").insert(place, result);
                }
            });
        }
    });
    let opened = opened.into_inner().expect("nobody panics while holding it");
    opened.into_iter().map(|(place, result)| Ok((sealed[place].pubkey, result?))).collect()
}

fn take<'a>(next: &AtomicUsize, sealed: &'a [Sealed]) -> Option<(usize, &'a Sealed)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    Some((place, sealed.get(place)?))
}
