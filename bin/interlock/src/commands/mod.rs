//! One file a command.

pub mod beacon;
pub mod bootnode;
pub mod devnet;
pub mod forkview;
pub mod interop;
pub mod keys;
pub mod mock_engine;
pub mod network;
pub mod simulate;
mod simulated_forks;
pub mod ssz;
pub mod transition;
pub mod validator;
