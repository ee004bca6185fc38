//! The [Beacon API](https://ethereum.github.io/beacon-APIs/): server over a [`Backend`], and client.
//!
//! The server knows routes, parameters, JSON and SSZ; what the answers are is the backend's business. Large answers
//! are encoded on blocking threads, so that one big state does not hold up the small requests.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backend;
mod client;
mod envelope;
mod error;
mod event;
pub mod fuzzing;
mod ids;
mod info;
mod lists;
mod server;

pub use backend::{Answer, Backend, Found, FoundBlock, FoundData, Reply};
pub use client::{Client, ClientError, EventStream, refusal, trouble};
pub use error::{ApiError, Failure};
pub use event::{Event, Topic};
pub use ids::{BlockId, StateId, ValidatorId};
pub use info::*;
pub use server::{Requests, Server, ServerConfig, ServerError};
