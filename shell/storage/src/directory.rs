//! Directories that survive a power cut. A new name is durable only once the directory that holds it is synced; a
//! database whose directory vanished would be taken for one that never was.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Makes the names in a directory durable.
pub(crate) fn sync(directory: &Path) -> io::Result<()> {
    // An empty path is what the parent of a bare file name comes to.
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    File::open(directory)?.sync_all()
}

/// Creates a directory and those above it where they are missing, durably.
pub(crate) fn create(directory: &Path) -> io::Result<()> {
    let mut missing: Vec<PathBuf> = Vec::new();
    for path in directory.ancestors().take_while(|path| !path.as_os_str().is_empty()) {
        if path.try_exists()? {
            break;
        }
        missing.push(path.to_owned());
    }
    fs::create_dir_all(directory)?;
    missing.iter().rev().try_for_each(|path| sync(path.parent().unwrap_or(Path::new("."))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_directories_are_created_and_existing_ones_are_fine() {
        let base = std::env::temp_dir().join(format!("interlock-directory-{}", std::process::id()));
        let deep = base.join("a/b/c");
        create(&deep).unwrap();
        assert!(deep.is_dir());
        create(&deep).unwrap();
        fs::write(base.join("file"), b"").unwrap();
        assert!(create(&base.join("file/below")).is_err());
        fs::remove_dir_all(base).unwrap();
    }
}
