//! Packages: who may depend on whom, and on what. The levels stand in ARCHITECTURE.md, as a table that people and this
//! rule read alike.

use crate::tokens::words;
use crate::{Repository, SourceFile, Violation};

/// What packages below `core/` may use from outside: pure computation only.
const PURE_CRATES: [&str; 27] = [
    "aes",
    "arrayvec",
    "blst",
    "blstrs",
    "c-kzg",
    "ctr",
    "ff",
    "hashbrown",
    "hashtree-rs",
    "hex",
    "hmac",
    "indexmap",
    "lru",
    "pbkdf2",
    "proc-macro2",
    "quote",
    "scrypt",
    "serde",
    "serde-saphyr",
    "serde_json",
    "sha2",
    "sha3",
    "syn",
    "thiserror",
    "unicode-normalization",
    "unsigned-varint",
    "zeroize",
];

/// One `Cargo.toml`.
#[derive(Debug)]
pub struct Manifest {
    /// The package's folder, such as `core/ssz`; empty for the workspace.
    pub folder: String,
    /// The package's name; empty for the workspace.
    pub name: String,
    /// Every dependency that it declares.
    pub dependencies: Vec<Dependency>,
}

/// A line that declares a dependency.
#[derive(Debug)]
pub struct Dependency {
    /// The crate.
    pub name: String,
    /// The table it stands in, such as `dev-dependencies`.
    pub table: String,
    /// The line, from 1.
    pub line: usize,
}

impl Manifest {
    /// Reads the subset of TOML that manifests here are written in: one dependency a line.
    pub fn parse(file: &SourceFile) -> Self {
        let folder = file.path.trim_end_matches("Cargo.toml").trim_end_matches('/').to_owned();
        let mut manifest = Self { folder, name: String::new(), dependencies: Vec::new() };
        let mut table = String::new();
        for (index, line) in file.text.lines().enumerate() {
            let line = line.trim();
            if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                table = header.to_owned();
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            let key = key.trim();
            if table == "package" && key == "name" {
                manifest.name = value.trim().trim_matches('"').to_owned();
            } else if table.ends_with("dependencies") && !line.starts_with('#') {
                let name = key.split('.').next().expect("a split has a first part").trim().to_owned();
                manifest.dependencies.push(Dependency { name, table: table.clone(), line: index + 1 });
            }
        }
        manifest
    }

    fn path(&self) -> String {
        if self.folder.is_empty() { "Cargo.toml".to_owned() } else { format!("{}/Cargo.toml", self.folder) }
    }
}

/// Every package's manifest, and the workspace's.
pub fn manifests(repository: &Repository) -> Vec<Manifest> {
    repository
        .files
        .iter()
        .filter(|file| file.path == "Cargo.toml" || file.path.ends_with("/Cargo.toml"))
        .map(Manifest::parse)
        .collect()
}

/// The level of each package, as ARCHITECTURE.md's table gives it: rows `| 3 | `core/transition`, … | … |`.
pub fn levels(architecture: &str) -> Vec<(String, usize)> {
    let mut levels = Vec::new();
    for row in architecture.lines().filter_map(|line| line.strip_prefix('|')) {
        let mut cells = row.split('|').map(str::trim);
        if let (Some(Ok(level)), Some(packages)) = (cells.next().map(str::parse), cells.next()) {
            levels.extend(packages.split('`').skip(1).step_by(2).map(|package| (package.to_owned(), level)));
        }
    }
    levels
}

/// Dependencies that do not go down by the levels, and packages without a level.
pub fn upward(manifests: &[Manifest], levels: &[(String, usize)]) -> Vec<Violation> {
    let level = |folder: &str| levels.iter().find(|(name, _)| name == folder).map(|(_, level)| *level);
    let mut found = Vec::new();
    for manifest in manifests.iter().filter(|manifest| !manifest.folder.is_empty()) {
        let Some(own) = level(&manifest.folder) else {
            found.push(Violation::new(&manifest.path(), 0, "ARCHITECTURE.md gives this package no level"));
            continue;
        };
        for dependency in &manifest.dependencies {
            let Some(used) = manifests.iter().find(|other| other.name == dependency.name) else { continue };
            if level(&used.folder).is_none_or(|level| level >= own) {
                let message = format!("{} (level {own}) may not depend on {}", manifest.folder, used.folder);
                found.push(Violation::new(&manifest.path(), dependency.line, message));
            }
        }
    }
    for (folder, _) in levels {
        if !manifests.iter().any(|manifest| manifest.folder == *folder) {
            found.push(Violation::new("ARCHITECTURE.md", 0, format!("there is no package {folder}")));
        }
    }
    found
}

/// Dependencies of `core/` on the world: anything but `core/` itself and crates that only compute.
pub fn impure(manifests: &[Manifest]) -> Vec<Violation> {
    let mut found = Vec::new();
    for manifest in manifests.iter().filter(|manifest| manifest.folder.starts_with("core/")) {
        for dependency in manifest.dependencies.iter().filter(|dependency| dependency.table == "dependencies")
        {
            let name = dependency.name.as_str();
            let of_the_core =
                manifests.iter().any(|other| other.name == name && other.folder.starts_with("core/"));
            if !of_the_core && !PURE_CRATES.contains(&name) {
                let message = format!("core may not use {name}: it is not known to compute only");
                found.push(Violation::new(&manifest.path(), dependency.line, message));
            }
        }
    }
    found
}

/// Dependencies that nothing uses: of the workspace by no package, of a package by none of its files.
pub fn unused(repository: &Repository, manifests: &[Manifest]) -> Vec<Violation> {
    let mut found = Vec::new();
    for manifest in manifests {
        let inside = format!("{}/", manifest.folder);
        let used: Vec<String> = repository
            .rust()
            .filter(|file| !manifest.folder.is_empty() && file.path.starts_with(&inside))
            .flat_map(|file| words(&file.text))
            .map(|word| word.text)
            .collect();
        for dependency in &manifest.dependencies {
            let is_used = if manifest.folder.is_empty() {
                let declares =
                    |other: &Manifest| other.dependencies.iter().any(|own| own.name == dependency.name);
                manifests.iter().filter(|other| !other.folder.is_empty()).any(declares)
            } else {
                used.contains(&dependency.name.replace('-', "_"))
            };
            if !is_used {
                let message = format!("nothing uses the dependency {}", dependency.name);
                found.push(Violation::new(&manifest.path(), dependency.line, message));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(folder: &str, dependencies: &str) -> SourceFile {
        let name = folder.rsplit('/').next().unwrap();
        let text = format!("[package]\nname = \"{name}\"\n\n[dependencies]\n{dependencies}");
        SourceFile::new(&format!("{folder}/Cargo.toml"), &text)
    }

    const TABLE: &str =
        "| level | packages |\n| - | - |\n| 0 | `core/low` | a |\n| 1 | `core/high`, `shell/net` | b |\n";

    #[test]
    fn dependencies_go_down_the_levels_only() {
        let files = [
            manifest("core/low", ""),
            manifest("core/high", "low.workspace = true"),
            manifest("shell/net", ""),
        ];
        let good: Vec<Manifest> = files.iter().map(Manifest::parse).collect();
        assert_eq!(upward(&good, &levels(TABLE)), []);

        let files = [
            manifest("core/low", "high = { path = \"x\" }"),
            manifest("core/high", ""),
            manifest("shell/net", "high.workspace = true"),
        ];
        let bad: Vec<Manifest> = files.iter().map(Manifest::parse).collect();
        let found: Vec<String> = upward(&bad, &levels(TABLE)).iter().map(Violation::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("core/low/Cargo.toml:5:"), "{found:?}");
        assert!(found[1].contains("shell/net (level 1) may not depend on core/high"), "{found:?}");
    }

    #[test]
    fn packages_and_the_table_of_levels_name_each_other() {
        let files = [manifest("core/low", ""), manifest("core/high", ""), manifest("core/new", "")];
        let manifests: Vec<Manifest> = files.iter().map(Manifest::parse).collect();
        let found: Vec<String> =
            upward(&manifests, &levels(TABLE)).iter().map(Violation::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].contains("gives this package no level") && found[1].contains("shell/net"),
            "{found:?}"
        );
    }

    #[test]
    fn the_core_uses_crates_that_only_compute() {
        let manifests: Vec<Manifest> =
            [manifest("core/low", "sha2.workspace = true\ntokio.workspace = true")]
                .iter()
                .map(Manifest::parse)
                .collect();
        let found = impure(&manifests);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("tokio"));
    }

    #[test]
    fn a_dependency_that_no_file_names_is_unused() {
        let files = vec![
            SourceFile::new(
                "Cargo.toml",
                "[workspace.dependencies]\nserde-saphyr = \"2\"\nhex = \"1\"\nlru = \"1\"\n",
            ),
            manifest("core/low", "serde-saphyr.workspace = true\nhex.workspace = true"),
            SourceFile::new("core/low/src/lib.rs", "use serde_saphyr::from_str; // hex"),
        ];
        let repository = Repository { files };
        let found: Vec<String> =
            unused(&repository, &manifests(&repository)).iter().map(Violation::to_string).collect();
        assert_eq!(
            found,
            [
                "Cargo.toml:4: nothing uses the dependency lru",
                "core/low/Cargo.toml:6: nothing uses the dependency hex"
            ]
        );
    }
}
