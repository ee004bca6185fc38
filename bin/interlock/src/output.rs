//! Output files.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

/// Writes a file whole or not at all: under another name first, then renamed.
pub fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let name = || path.display().to_string();
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let mut file = std::fs::File::create(&temporary).with_context(name)?;
    file.write_all(bytes).with_context(name)?;
    file.sync_all().with_context(name)?;
    std::fs::rename(&temporary, path).with_context(name)
}
