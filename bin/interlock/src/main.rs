//! `interlock`: one binary for beacon node, validator client, devnets and tools.

#[cfg(test)]
mod book;
mod commands;
mod execution_choice;
mod jwt_file;
mod logging;
mod metrics_choice;
mod mock_deposits;
mod mock_network;
mod network_choice;
mod output;
mod shutdown;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Interlock, an Ethereum consensus client.
///
/// Run a beacon node and a validator client, start whole local networks, and take states and blocks apart.
#[derive(Parser)]
#[command(name = "interlock", version, propagate_version = true, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Beacon(commands::beacon::Beacon),
    Validator(commands::validator::Validator),
    Bootnode(commands::bootnode::Bootnode),
    Devnet(commands::devnet::Devnet),
    Forkview(commands::forkview::Forkview),
    MockEngine(commands::mock_engine::MockEngine),
    /// Make the folder of a new network.
    #[command(subcommand)]
    Network(commands::network::Network),
    /// Make and list validator keys, move their signing history.
    #[command(subcommand)]
    Keys(commands::keys::Keys),
    /// Run whole networks deterministically, with faults drawn from a seed, and check that nothing goes wrong.
    Simulate(commands::simulate::Simulate),
    /// Run networks together with another client, and install that client.
    #[command(subcommand)]
    Interop(commands::interop::Interop),
    /// Decode, hash and print SSZ values.
    #[command(subcommand)]
    Ssz(commands::ssz::Ssz),
    /// Apply blocks or empty slots to a state.
    #[command(subcommand)]
    Transition(commands::transition::Transition),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Beacon(command) => command.run(),
        Command::Validator(command) => command.run(),
        Command::Bootnode(command) => command.run(),
        Command::Devnet(command) => command.run(),
        Command::Forkview(command) => command.run(),
        Command::MockEngine(command) => command.run(),
        Command::Network(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Simulate(command) => command.run(),
        Command::Interop(command) => command.run(),
        Command::Ssz(command) => command.run(),
        Command::Transition(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, the outermost reason first: this is what a person reads in a terminal.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
