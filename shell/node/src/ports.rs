//! Ports, tried before anything is written: a node that cannot listen leaves no trace.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use crate::{BeaconConfig, NodeError};

/// Fails where a port of the configuration cannot be listened on. The listeners themselves come later and say the same
/// where another process was quicker.
pub fn refuse_used_ports(config: &BeaconConfig) -> Result<(), NodeError> {
    let tcp = SocketAddr::new(config.listen_address, config.tcp_port);
    let udp = SocketAddr::new(config.listen_address, config.udp_port);
    let mut tried = vec![
        ("the Beacon API on TCP port", config.http, TcpListener::bind(config.http).map(drop)),
        ("peers on TCP port", tcp, TcpListener::bind(tcp).map(drop)),
        ("discovery on UDP port", udp, UdpSocket::bind(udp).map(drop)),
    ];
    if let Some(metrics) = &config.metrics {
        tried.push(("metrics on TCP port", metrics.address, TcpListener::bind(metrics.address).map(drop)));
    }
    for (purpose, address, result) in tried {
        result.map_err(|error| NodeError::Port { purpose, address, reason: reason(&error) })?;
    }
    Ok(())
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "it is in use".to_owned(),
        _ => error.to_string(),
    }
}
