//! The mock engine: how it behaves, over HTTP with our own client, and against the schemas of the Engine API.

#![allow(clippy::unwrap_used)]

mod deposits;
mod http;
mod machine;
mod schema;
mod schemas;
mod walk;
