//! Both ends together, over chains of the [`fixture`](crate::fixture).

mod client;
mod node;
