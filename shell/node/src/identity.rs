//! Who the node is on the network, for the API.

use api::Identity;
use network::NetworkHandle;

use crate::subnets::Subnets;

/// Who the node is on the network.
pub async fn identity(network: &NetworkHandle, subnets: &Subnets) -> Identity {
    let enr = network.local_enr().await;
    let peer_id = network.peer_id().to_string();
    let (seq_number, attnets, syncnets) = subnets.metadata();
    let at = |ip: std::net::IpAddr, protocol: &str, port: u16| {
        let family = if ip.is_ipv4() { "ip4" } else { "ip6" };
        format!("/{family}/{ip}/{protocol}/{port}/p2p/{peer_id}")
    };
    let tcp = [enr.tcp4_socket().map(Into::into), enr.tcp6_socket().map(Into::into)];
    let udp = [enr.udp4_socket().map(Into::into), enr.udp6_socket().map(Into::into)];
    let list = |sockets: [Option<std::net::SocketAddr>; 2], protocol: &str| -> Vec<String> {
        sockets.into_iter().flatten().map(|socket| at(socket.ip(), protocol, socket.port())).collect()
    };
    let mut p2p_addresses = list(tcp, "tcp");
    if p2p_addresses.is_empty() {
        // A record without an address is that of a node that waits to learn its own.
        p2p_addresses.push(format!("{}/p2p/{peer_id}", network.listen_address()));
    }
    Identity {
        enr: enr.to_base64(),
        p2p_addresses,
        discovery_addresses: list(udp, "udp"),
        seq_number,
        attnets: format!("0x{}", hex::encode(attnets)),
        syncnets: format!("0x{}", hex::encode([syncnets])),
        peer_id,
    }
}
