//! A page in the browser: what it is asked, what is done to it, and what it looks like.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::PATIENCE;
use crate::pipe::Pipe;

/// Between two looks at what is awaited.
const POLL: Duration = Duration::from_millis(50);

/// What the user prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark text on a light ground.
    Light,
    /// Light text on a dark ground.
    Dark,
}

/// An open page.
#[derive(Debug)]
pub struct Page<'a> {
    pipe: &'a mut Pipe,
    session: String,
}

impl<'a> Page<'a> {
    pub(crate) fn open(pipe: &'a mut Pipe, session: String, url: &str) -> anyhow::Result<Self> {
        let mut page = Self { pipe, session };
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            page.call(domain, json!({}))?;
        }
        let gone = page.call("Page.navigate", json!({ "url": url }))?;
        if let Some(error) = gone.get("errorText") {
            bail!("{url}: {error}");
        }
        page.pipe.wait(&page.session, "Page.loadEventFired", PATIENCE).with_context(|| url.to_owned())?;
        Ok(page)
    }

    fn call(&mut self, method: &str, parameters: Value) -> anyhow::Result<Value> {
        self.pipe.call(Some(&self.session), method, parameters, PATIENCE)
    }

    /// The value of an expression, whose promise is awaited; an exception is an error.
    pub fn eval(&mut self, expression: &str) -> anyhow::Result<Value> {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.call("Runtime.evaluate", parameters)?;
        if let Some(exception) = answer.get("exceptionDetails") {
            bail!("{expression}: {}", exception["exception"]["description"]);
        }
        Ok(answer["result"]["value"].take())
    }

    /// Waits until an expression is true, and gives its value.
    pub fn until(&mut self, expression: &str, patience: Duration) -> anyhow::Result<Value> {
        let end = Instant::now() + patience;
        loop {
            let value = self.eval(expression)?;
            if !matches!(value, Value::Null | Value::Bool(false)) {
                return Ok(value);
            }
            if Instant::now() >= end {
                let text = self.eval("document.body.innerText")?;
                bail!(
                    "not within {} s: {expression}\nthe page says:\n{}",
                    patience.as_secs(),
                    text.as_str().unwrap_or("")
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// Presses and lets go a key, by its name in `KeyboardEvent.key`.
    pub fn press(&mut self, key: &str) -> anyhow::Result<()> {
        let text = if key.chars().count() == 1 { key } else { "" };
        self.call("Input.dispatchKeyEvent", json!({ "type": "keyDown", "key": key, "text": text }))?;
        self.call("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key }))?;
        Ok(())
    }

    /// A press of the left button, at pixels from the upper left corner.
    pub fn click(&mut self, x: f64, y: f64) -> anyhow::Result<()> {
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event)?;
        }
        Ok(())
    }

    /// Lets the page think that the user prefers a scheme, from the next load on and at once in styles.
    pub fn prefer(&mut self, scheme: Scheme) -> anyhow::Result<()> {
        let value = if scheme == Scheme::Dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }))?;
        Ok(())
    }

    /// Gives the window another size, in pixels.
    pub fn resize(&mut self, width: u32, height: u32) -> anyhow::Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size)?;
        Ok(())
    }

    /// Writes a picture of the window as PNG.
    pub fn screenshot(&mut self, file: &Path) -> anyhow::Result<()> {
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }))?;
        let text = picture["data"].as_str().context("no picture")?;
        let bytes = STANDARD.decode(text).context("the picture is no base64")?;
        std::fs::write(file, bytes).with_context(|| file.display().to_string())
    }

    /// Exceptions that nobody caught, and errors on the console, since the last time that they were asked for.
    pub fn faults(&mut self) -> Vec<String> {
        let names = ["Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"];
        let is_fault = |event: &Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            // A file that is not there, or an address that does not answer, is for the page to say.
            Some("Log.entryAdded") => {
                event["params"]["entry"]["level"] == "error"
                    && event["params"]["entry"]["source"] != "network"
            }
            _ => event["params"]["type"] == "error",
        };
        let events = self.pipe.take(&self.session, &names);
        events.iter().filter(|event| is_fault(event)).map(|event| event["params"].to_string()).collect()
    }
}
