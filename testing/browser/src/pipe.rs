//! The DevTools protocol over two pipes.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// Messages that wait to be read; beyond, the browser waits.
const MESSAGES_MAX: usize = 1024;
/// Events that are kept until somebody asks for them; beyond, the oldest are forgotten.
const EVENTS_MAX: usize = 1024;

/// Calls and their answers, and what the browser tells in between.
#[derive(Debug)]
pub(crate) struct Pipe {
    input: std::process::ChildStdin,
    messages: Receiver<Value>,
    events: VecDeque<Value>,
    next: u64,
}

impl Pipe {
    pub fn new(input: std::process::ChildStdin, output: impl Read + Send + 'static) -> Self {
        let (sender, messages) = sync_channel(MESSAGES_MAX);
        // Ends with the browser, whose output it reads.
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut bytes = Vec::new();
            while output.read_until(0, &mut bytes).is_ok_and(|count| count > 0) {
                if bytes.last() == Some(&0) {
                    bytes.pop();
                }
                let sent = serde_json::from_slice(&bytes).is_ok_and(|message| sender.send(message).is_ok());
                if !sent {
                    return;
                }
                bytes.clear();
            }
        });
        Self { input, messages, events: VecDeque::new(), next: 0 }
    }

    /// Calls a method and gives its result.
    pub fn call(
        &mut self,
        session: Option<&str>,
        method: &str,
        parameters: Value,
        patience: Duration,
    ) -> anyhow::Result<Value> {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes).and_then(|()| self.input.flush()).context("the browser has ended")?;
        let end = Instant::now() + patience;
        loop {
            let mut answer = self.read(end).with_context(|| format!("{method} was called"))?;
            if answer["id"] != self.next {
                self.keep(answer);
                continue;
            }
            if let Some(error) = answer.get("error") {
                bail!("{method}: {error}");
            }
            return Ok(answer["result"].take());
        }
    }

    /// Waits for an event of a page.
    pub fn wait(&mut self, session: &str, event: &str, patience: Duration) -> anyhow::Result<Value> {
        let end = Instant::now() + patience;
        loop {
            let is_it = |message: &Value| message["sessionId"] == session && message["method"] == event;
            if let Some(place) = self.events.iter().position(is_it) {
                return Ok(self
                    .events
                    .remove(place)
                    .map(|mut event| event["params"].take())
                    .unwrap_or_default());
            }
            let message = self.read(end).with_context(|| format!("{event} was awaited"))?;
            self.keep(message);
        }
    }

    /// The events of a page so far with these names, which are forgotten.
    pub fn take(&mut self, session: &str, names: &[&str]) -> Vec<Value> {
        while let Ok(message) = self.messages.try_recv() {
            self.keep(message);
        }
        let is_one = |message: &Value| {
            message["sessionId"] == session && names.iter().any(|name| message["method"] == *name)
        };
        let (taken, kept) = std::mem::take(&mut self.events).into_iter().partition(is_one);
        self.events = kept;
        Vec::from_iter::<VecDeque<Value>>(taken)
    }

    fn keep(&mut self, message: Value) {
        if message.get("method").is_none() {
            return;
        }
        self.events.push_back(message);
        if self.events.len() > EVENTS_MAX {
            self.events.pop_front();
        }
    }

    fn read(&mut self, end: Instant) -> anyhow::Result<Value> {
        match self.messages.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(message) => Ok(message),
            Err(RecvTimeoutError::Timeout) => bail!("the browser does not answer in time"),
            Err(RecvTimeoutError::Disconnected) => bail!("the browser has ended"),
        }
    }
}
