//! The files of the repository.

use std::path::{Path, PathBuf};

/// Every text file of the repository, in the order of their paths.
#[derive(Debug, Default)]
pub struct Repository {
    /// The files.
    pub files: Vec<SourceFile>,
}

/// One file.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path relative to the repository, with `/` between folders.
    pub path: String,
    /// Contents.
    pub text: String,
}

/// Folders that hold what is built, fetched or run, never what is written.
const FOLDERS_SKIPPED: [&str; 4] = [".git", "target", "node_modules", "__pycache__"];

impl Repository {
    /// Reads the repository that this package lies in.
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .expect("this package lies two folders below the repository");
        let ignored = ignored_at_the_top(root);
        let mut files = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("the repository can be read") {
                let path = entry.expect("the repository can be read").path();
                let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
                if FOLDERS_SKIPPED.contains(&name.as_str())
                    || ignored.contains(&path)
                    || name.ends_with(".tmp")
                {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(text) = std::fs::read_to_string(&path) {
                    // What is not UTF-8 is data, and no rule here speaks of data.
                    let path =
                        path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
                    files.push(SourceFile { path, text });
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| file.is_rust())
    }

    /// A file by its path.
    pub fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// A file by its path, which must exist.
    ///
    /// # Panics
    /// Where it does not.
    pub fn must(&self, path: &str) -> &SourceFile {
        self.file(path).unwrap_or_else(|| panic!("{path} is missing from the repository"))
    }
}

/// What `.gitignore` names from the top, such as `/devnet`.
fn ignored_at_the_top(root: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
    text.lines().filter_map(|line| line.trim().strip_prefix('/')).map(|name| root.join(name)).collect()
}

impl SourceFile {
    /// A file that exists only in a test.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The folder of its package, such as `core/ssz`; empty for files of the whole.
    pub fn package(&self) -> &str {
        let mut slashes = self.path.match_indices('/').map(|(at, _)| at);
        match (slashes.next(), slashes.next()) {
            (Some(_), Some(second)) => &self.path[..second],
            _ => "",
        }
    }

    /// The parsed file.
    ///
    /// # Panics
    /// Where it is not Rust: the compiler has seen it before.
    pub fn parse(&self) -> syn::File {
        syn::parse_file(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }
}
