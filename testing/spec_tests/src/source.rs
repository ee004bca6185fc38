//! Finds the cases below a folder: plain ones, and those in packs.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::external;
use crate::case::{Case, FileData};

/// A pack's window may be this large, as a power of two.
const ZSTD_WINDOW_LOG: u32 = 31;

type Files = BTreeMap<Vec<String>, BTreeMap<String, FileData>>;

/// The cases below `path`, in batches that fit in memory: all plain ones first, then pack by pack.
pub fn batches(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Vec<Case>>>> {
    let mut packs = Vec::new();
    let mut files = Files::new();
    if path.is_file() {
        packs.push(path.to_owned());
    } else if path.is_dir() {
        let root = std::path::absolute(path)?;
        walk(&root, &mut files, &mut packs)?;
    } else {
        bail!("{} is neither a folder of vectors nor a pack", path.display());
    }
    packs.sort();
    if files.is_empty() && packs.is_empty() {
        bail!("no vectors below {}", path.display());
    }
    let plain = std::iter::once_with(move || Ok(cases(files)));
    Ok(plain.chain(packs.into_iter().map(|pack| read_pack(&pack).map(cases))))
}

fn cases(files: Files) -> Vec<Case> {
    files.into_iter().map(|(names, files)| Case::new(&names, files)).collect()
}

fn walk(folder: &Path, files: &mut Files, packs: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files, packs)?;
        } else if path.to_string_lossy().ends_with(".tar.zst") {
            packs.push(path);
        } else if let Some((names, file)) = place(&path) {
            files.entry(names).or_default().insert(file, FileData::Path(path));
        }
    }
    Ok(())
}

fn read_pack(pack: &Path) -> anyhow::Result<Files> {
    let file = std::fs::File::open(pack).with_context(|| pack.display().to_string())?;
    let mut decoder = zstd::Decoder::new(file)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    let mut files = Files::new();
    for entry in tar::Archive::new(decoder).entries()? {
        let mut entry = entry.with_context(|| pack.display().to_string())?;
        let path = entry.path()?.into_owned();
        if let Some((names, file)) = place(&path) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            files.entry(names).or_default().insert(file, FileData::Bytes(bytes));
        }
    }
    Ok(files)
}

/// The six names of the case and the name of the file, for a path that has them.
fn place(path: &Path) -> Option<(Vec<String>, String)> {
    let names: Vec<String> = path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if let Some(found) = external::place(&names) {
        return Some(found);
    }
    // The last `tests` that leaves exactly six names and a file behind it.
    let at = names.len().checked_sub(8)?;
    (names[at] == "tests")
        .then(|| (names[at + 1..at + 7].to_vec(), names[at + 7].clone()))
}
