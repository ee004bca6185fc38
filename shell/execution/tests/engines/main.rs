//! Clients of engines against servers whose answers are written by the tests, and the codec by itself.

#![allow(clippy::unwrap_used)]

mod codec;
mod one;
mod server;
mod several;
