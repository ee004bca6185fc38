//! Finds the cases below a folder: plain ones, and those in packs.
//!
//! A pack is read twice and never unpacked. The first pass learns how many files each case has, the second hands out
//! a case as soon as the last of them was read. So files may lie in any order (those of the compact packs lie side by
//! side by kind, not by case), and in memory are only the cases that are not yet complete or not yet run.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::case::{Case, FileData};
use crate::external;

/// A pack's window may be this large, as a power of two.
const ZSTD_WINDOW_LOG: u32 = 31;

type Files = BTreeMap<String, FileData>;

/// What lies below a folder.
#[derive(Debug, Default)]
pub struct Source {
    packs: Vec<PathBuf>,
    cases: BTreeMap<Vec<String>, Files>,
    strays: Vec<String>,
}

impl Source {
    /// Looks for cases and packs; an error where there are none.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let mut source = Self::default();
        if path.is_file() {
            source.packs.push(path.to_owned());
        } else if path.is_dir() {
            source.walk(&std::path::absolute(path)?)?;
        } else {
            bail!("{} is neither a folder of vectors nor a pack", path.display());
        }
        source.packs.sort();
        if source.cases.is_empty() && source.packs.is_empty() {
            bail!("no vectors below {}", path.display());
        }
        Ok(source)
    }

    /// Gives every case once, plain ones first, then pack by pack; returns the paths of files that belong to no case.
    pub fn for_each(mut self, mut give: impl FnMut(Case)) -> anyhow::Result<Vec<String>> {
        for (names, files) in self.cases {
            give(Case::new(&names, files));
        }
        for pack in &self.packs {
            read_pack(pack, &mut give, &mut self.strays).with_context(|| pack.display().to_string())?;
        }
        Ok(self.strays)
    }

    fn walk(&mut self, folder: &Path) -> anyhow::Result<()> {
        let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                self.walk(&path)?;
            } else if path.to_string_lossy().ends_with(".tar.zst") {
                self.packs.push(path);
            } else if let Some((names, file)) = place(&path) {
                self.cases.entry(names).or_default().insert(file, FileData::Path(path));
            } else {
                self.strays.push(path.display().to_string());
            }
        }
        Ok(())
    }
}

fn read_pack(pack: &Path, give: &mut impl FnMut(Case), strays: &mut Vec<String>) -> anyhow::Result<()> {
    let mut missing: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for_each_file(pack, |path, _| {
        match place(&path) {
            Some((names, _)) => *missing.entry(names).or_default() += 1,
            None => strays.push(path.display().to_string()),
        }
        Ok(())
    })?;
    let mut begun: BTreeMap<Vec<String>, Files> = BTreeMap::new();
    for_each_file(pack, |path, content| {
        let Some((names, file)) = place(&path) else { return Ok(()) };
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        let files = begun.entry(names.clone()).or_default();
        if files.insert(file, FileData::Bytes(bytes)).is_some() {
            bail!("{} is there twice", path.display());
        }
        if missing.get(&names) == Some(&files.len()) {
            give(Case::new(&names, begun.remove(&names).expect("a file was put into it above")));
        }
        Ok(())
    })
}

fn for_each_file(
    pack: &Path,
    mut give: impl FnMut(PathBuf, &mut dyn Read) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut decoder = zstd::Decoder::new(std::fs::File::open(pack)?)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    for entry in tar::Archive::new(decoder).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            give(entry.path()?.into_owned(), &mut entry)?;
        }
    }
    Ok(())
}

/// The six names of the case and the name of the file, for a path that has them.
fn place(path: &Path) -> Option<(Vec<String>, String)> {
    let names: Vec<String> = path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if let Some(found) = external::place(&names) {
        return Some(found);
    }
    // The last `tests` that leaves exactly six names and a file behind it.
    let at = names.len().checked_sub(8)?;
    (names[at] == "tests").then(|| (names[at + 1..at + 7].to_vec(), names[at + 7].clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of its own that goes with the value.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("spec_tests_{name}_{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const CASE_A: &str = "tests/minimal/phase0/sanity/slots/suite/a";
    const CASE_B: &str = "tests/minimal/phase0/sanity/slots/suite/b";

    fn write_pack(path: &Path, files: &[(String, &str)]) {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        let bytes = zstd::encode_all(archive.into_inner().unwrap().as_slice(), 3).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Cases as `name: file=content …`, in the order in which they are given, and the strays.
    fn found(path: &Path) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let mut cases = Vec::new();
        let strays = Source::open(path)?.for_each(|case| {
            let files = case.file_names().map(|file| format!("{file}={}", case.text(file).unwrap()));
            cases.push(format!("{}: {}", case.name, files.collect::<Vec<_>>().join(" ")));
        })?;
        Ok((cases, strays))
    }

    #[test]
    fn files_of_a_pack_find_their_case_in_any_order() {
        let folder = Folder::new("order");
        let files = [
            (format!("{CASE_A}/one"), "1"),
            (format!("{CASE_B}/one"), "2"),
            ("tests/README".into(), ""),
            (format!("{CASE_B}/two"), "3"),
            (format!("{CASE_A}/two"), "4"),
        ];
        write_pack(&folder.0.join("x.tar.zst"), &files);
        let (cases, strays) = found(&folder.0).unwrap();
        assert_eq!(cases, ["b: one=2 two=3", "a: one=1 two=4"]);
        assert_eq!(strays, ["tests/README"]);
    }

    #[test]
    fn a_folder_gives_its_plain_cases_and_those_of_its_packs() {
        let folder = Folder::new("plain");
        std::fs::create_dir_all(folder.0.join(CASE_A)).unwrap();
        std::fs::write(folder.0.join(CASE_A).join("one"), "1").unwrap();
        write_pack(&folder.0.join("x.tar.zst"), &[(format!("{CASE_B}/one"), "2")]);
        let (cases, strays) = found(&folder.0).unwrap();
        assert_eq!(cases, ["a: one=1", "b: one=2"]);
        assert!(strays.is_empty());
    }

    #[test]
    fn a_broken_pack_or_an_empty_folder_is_an_error() {
        let folder = Folder::new("broken");
        assert!(found(&folder.0).unwrap_err().to_string().starts_with("no vectors below"));
        assert!(found(&folder.0.join("none")).is_err());
        let pack = folder.0.join("x.tar.zst");
        write_pack(&pack, &[(format!("{CASE_A}/one"), "1"), (format!("{CASE_A}/one"), "2")]);
        assert!(format!("{:#}", found(&pack).unwrap_err()).ends_with("one is there twice"));
        let bytes = std::fs::read(&pack).unwrap();
        std::fs::write(&pack, &bytes[..bytes.len() / 2]).unwrap();
        assert!(found(&pack).is_err());
    }
}
