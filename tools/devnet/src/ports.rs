//! Free ports for processes that are told their ports before they start.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};

use anyhow::{Context, bail};

/// The ports of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePorts {
    /// The Beacon API.
    pub http: u16,
    /// libp2p.
    pub tcp: u16,
    /// Discovery.
    pub udp: u16,
    /// Metrics.
    pub metrics: u16,
}

/// Hands out ports on loopback, each once, and only such as can be bound for TCP and UDP at that moment.
///
/// Ports are looked for below the range from which systems give ports to outgoing connections: a node that is killed
/// and started again finds its own port still free, which it might not in that range.
#[derive(Debug)]
pub struct Ports {
    next: u16,
    end: u16,
}

/// The lowest port that is looked at by itself.
const FIRST: u16 = 12_000;
/// Linux begins at 32768 with the ports of outgoing connections.
const END: u16 = 32_000;

impl Ports {
    /// Ports from `base` on, upwards.
    pub fn from(base: u16) -> anyhow::Result<Self> {
        if base < 1024 {
            bail!("base port {base} is below 1024, where ports belong to the system");
        }
        Ok(Self { next: base, end: u16::MAX })
    }

    /// Ports from somewhere: two networks that start at the same time look in different places.
    pub fn anywhere() -> anyhow::Result<Self> {
        let probe =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port can be bound on loopback")?;
        let chance = u32::from(probe.local_addr()?.port()) * 37 + std::process::id() * 101;
        // The upper half is kept for what follows the first port.
        let span = u32::from((END - FIRST) / 2);
        let start = FIRST + u16::try_from(chance % span).expect("smaller than the span, which is a u16");
        Ok(Self { next: start, end: END })
    }

    /// The next free port.
    pub fn free(&mut self) -> anyhow::Result<u16> {
        while self.next < self.end {
            let port = self.next;
            self.next += 1;
            if is_free(port) {
                return Ok(port);
            }
        }
        bail!("no free port below {}", self.end)
    }

    /// Free ports for all of it.
    pub fn node(&mut self) -> anyhow::Result<NodePorts> {
        let [http, tcp, udp, metrics] = [self.free()?, self.free()?, self.free()?, self.free()?];
        Ok(NodePorts { http, tcp, udp, metrics })
    }
}

/// True where both TCP and UDP can be bound on loopback now.
fn is_free(port: u16) -> bool {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_can_be_bound() {
        let mut ports = Ports::anywhere().unwrap();
        let given: Vec<u16> = (0..12).map(|_| ports.free().unwrap()).collect();
        let mut unique = given.clone();
        unique.dedup();
        assert_eq!(unique, given);
        for port in given {
            assert!((FIRST..END).contains(&port));
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let mut ports = Ports::anywhere().unwrap();
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, ports.free().unwrap())).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(!is_free(port));
        assert!(Ports::from(port).unwrap().free().unwrap() > port);
        let mut one = Ports { next: port, end: port + 1 };
        assert_eq!(one.free().unwrap_err().to_string(), format!("no free port below {}", port + 1));
        assert!(Ports::from(80).is_err());
    }
}
