//! A real browser for tests: Chromium without a window, driven over the DevTools protocol.
//!
//! The protocol is spoken over a pipe, in messages of JSON that end with a zero byte, so that no port is opened and no
//! client library is needed. Where there is no Chromium, [`Browser::launch`] gives none and says so: such a test is
//! skipped, and whoever reads its output knows.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod page;
mod pipe;
mod site;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

pub use page::{Page, Scheme};
use pipe::Pipe;
pub use site::{Answer, Site};

/// Names under which Chromium is installed.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// How long the browser may take to answer, on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(60);

/// The size of the window, in pixels.
pub const WINDOW: (u32, u32) = (1400, 800);

/// A running browser. It ends when it is dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    pipe: Pipe,
    _profile: TempDir,
}

impl Browser {
    /// Starts Chromium, the one that `INTERLOCK_CHROMIUM` names or the first of the usual names on the path; none, with a
    /// line on standard error, where there is none.
    pub fn launch() -> anyhow::Result<Option<Self>> {
        let Some(program) = find() else {
            eprintln!(
                "SKIPPED: there is no Chromium; install Debian's package chromium, or name one by INTERLOCK_CHROMIUM"
            );
            return Ok(None);
        };
        let profile = tempfile::Builder::new().prefix("interlock-browser-").tempdir()?;
        // The protocol is on the descriptors 3 and 4, which a shell can lay and `Command` cannot.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>&2"])
            .arg(&program)
            .args(["--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            // Tests run as root on machines that are thrown away, with little shared memory.
            .args([
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--force-device-scale-factor=1",
            ])
            .arg(format!("--window-size={},{}", WINDOW.0, WINDOW.1))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| program.display().to_string())?;
        let input = child.stdin.take().context("the browser's input is a pipe")?;
        let output = child.stdout.take().context("the browser's output is a pipe")?;
        let mut browser = Self { child, pipe: Pipe::new(input, output), _profile: profile };
        let version = browser.pipe.call(None, "Browser.getVersion", json!({}), PATIENCE)?;
        ensure!(version["product"].is_string(), "{} is no Chromium: {version}", program.display());
        Ok(Some(browser))
    }

    /// Opens a page, and waits until it is loaded.
    pub fn open(&mut self, url: &str) -> anyhow::Result<Page<'_>> {
        let call =
            |pipe: &mut Pipe, method: &str, parameters: Value| pipe.call(None, method, parameters, PATIENCE);
        let target = call(&mut self.pipe, "Target.createTarget", json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = call(&mut self.pipe, "Target.attachToTarget", attach)?;
        let session = session["sessionId"].as_str().context("no session with the page")?.to_owned();
        Page::open(&mut self.pipe, session, url)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its helpers end with it, for they are children that lose their parent's pipes.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("INTERLOCK_CHROMIUM") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    places.find(|place| place.is_file())
}
