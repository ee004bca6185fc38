//! Metrics as Prometheus reads them: `/metrics` over HTTP, a histogram that nobody waits for, and what the process takes.
//!
//! A package that has something to count registers it in the [`prometheus_client::registry::Registry`] that it is given;
//! nothing here is global. Reading takes no lock that a writer holds for longer than one addition.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod histogram;
mod process;
mod server;
mod text;

pub use histogram::{COUNTS, Histogram, SECONDS};
pub use process::{ProcessMetrics, ProcessUse};
pub use server::{Exporter, ExporterConfig, ExporterError, StatusPage};
pub use text::{open_metrics, plain_text, write_counter, write_gauge, write_gauges};
