//! Installs other clients from npm. Scripts and pins are part of the program, so that it needs no source folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// A client that this project did not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The consensus client: needs npm, a C++ compiler, make and Python 3, two minutes and half a gigabyte.
    Lodestar,
    /// The execution client: needs npm, half a minute and 300 megabytes.
    Ethereumjs,
}

impl Peer {
    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lodestar => "Lodestar",
            Self::Ethereumjs => "@ethereumjs/client",
        }
    }

    /// The environment variable that names its folder, and its folder in the user's cache.
    fn places(self) -> (&'static str, &'static str) {
        match self {
            Self::Lodestar => ("INTERLOCK_LODESTAR", "lodestar-1.5.1"),
            Self::Ethereumjs => ("INTERLOCK_ETHEREUMJS", "ethereumjs-client-0.10.5"),
        }
    }

    /// `install.sh`, `package.json` and `package-lock.json`.
    fn files(self) -> [(&'static str, &'static str); 3] {
        let texts = match self {
            Self::Lodestar => [
                include_str!("../lodestar/install.sh"),
                include_str!("../lodestar/package.json"),
                include_str!("../lodestar/package-lock.json"),
            ],
            // They belong to the mock engine, whose tests compare it with this client.
            Self::Ethereumjs => [
                include_str!("../../mock_engine/ethereumjs/install.sh"),
                include_str!("../../mock_engine/ethereumjs/package.json"),
                include_str!("../../mock_engine/ethereumjs/package-lock.json"),
            ],
        };
        let [script, package, lock] = texts;
        [("install.sh", script), ("package.json", package), ("package-lock.json", lock)]
    }

    /// Where it is when the command line does not say: in the folder that its variable names, else in the user's cache.
    pub fn default_dir(self) -> anyhow::Result<PathBuf> {
        let (variable, folder) = self.places();
        if let Some(named) = std::env::var_os(variable).filter(|path| !path.is_empty()) {
            return Ok(named.into());
        }
        let cache = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
        let cache = cache.or_else(home).with_context(|| {
            format!("neither XDG_CACHE_HOME nor HOME is set; name a folder with {variable}")
        })?;
        Ok(cache.join("interlock").join(folder))
    }

    /// The program of an installation.
    pub fn program(self, dir: &Path) -> PathBuf {
        dir.join("bin").join(match self {
            Self::Lodestar => "lodestar",
            Self::Ethereumjs => "ethereumjs",
        })
    }

    /// Installs into a folder; at once where the same pins are installed there. The program's path.
    pub fn install(self, dir: &Path) -> anyhow::Result<PathBuf> {
        // The folder's own `package.json` is written by npm's side of the script; the sources get a folder beside them.
        let source = dir.join("source");
        std::fs::create_dir_all(&source).with_context(|| source.display().to_string())?;
        for (name, text) in self.files() {
            let path = source.join(name);
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
        let status =
            Command::new("bash").arg(source.join("install.sh")).arg(dir).stdout(Stdio::null()).status();
        let status = status.context("cannot run bash")?;
        if !status.success() {
            bail!("{} could not be installed into {}", self.name(), dir.display());
        }
        Ok(self.program(dir))
    }
}
