//! The validator client: a process of its own that speaks only the Beacon API.
