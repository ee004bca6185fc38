//! Installs Lodestar from npm. The script and the pins are part of the program, so that it needs no source folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

const SCRIPT: &str = include_str!("../lodestar/install.sh");
const PACKAGE: &str = include_str!("../lodestar/package.json");
const LOCK: &str = include_str!("../lodestar/package-lock.json");

/// Where it is when the command line does not say: in the folder that `INTERLOCK_LODESTAR` names, else in the user's
/// cache.
pub fn default_dir() -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os("INTERLOCK_LODESTAR").filter(|path| !path.is_empty()) {
        return Ok(named.into());
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = cache
        .or_else(home)
        .context("neither XDG_CACHE_HOME nor HOME is set; give a folder with --lodestar")?;
    Ok(cache.join("interlock").join("lodestar-1.5.1"))
}

/// The program of an installation.
pub fn program(dir: &Path) -> PathBuf {
    dir.join("bin").join("lodestar")
}

/// Installs into a folder; at once where the same pins are installed there. It needs npm, a C++ compiler, make and
/// Python 3, takes a minute or two and half a gigabyte. The program's path.
pub fn install(dir: &Path) -> anyhow::Result<PathBuf> {
    // The folder's own `package.json` is written by npm's side of the script; the sources get a folder beside them.
    let source = dir.join("source");
    std::fs::create_dir_all(&source).with_context(|| source.display().to_string())?;
    for (name, text) in [("install.sh", SCRIPT), ("package.json", PACKAGE), ("package-lock.json", LOCK)] {
        let path = source.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    let status = Command::new("bash").arg(source.join("install.sh")).arg(dir).stdout(Stdio::null()).status();
    let status = status.context("cannot run bash")?;
    if !status.success() {
        bail!("Lodestar could not be installed into {}", dir.display());
    }
    Ok(program(dir))
}
