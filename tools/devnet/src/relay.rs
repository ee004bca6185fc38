//! Connections that can be cut: a port that forwards to another one while it is open.
//!
//! A network is divided where its connections are, so that no process has to take part in it, and any client's will do.
//! While a relay is closed it ends what it forwarded, and lets who connects wait: who is waiting when it opens is
//! forwarded at once, where a refused one would come again only after its own pause, which grows with every refusal.

use std::net::Ipv4Addr;

use anyhow::Context;
use futures::future::select_all;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Connections of one relay at a time; beyond, new ones are refused.
const CONNECTIONS_MAX: usize = 64;

/// Opens and closes relays.
#[derive(Debug)]
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    /// A gate that is open.
    pub fn opened() -> Self {
        Self(watch::Sender::new(true))
    }

    /// A gate that is closed.
    pub fn closed() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Ends all connections, and lets no new ones through.
    pub fn close(&self) {
        self.0.send_replace(false);
    }

    /// Lets connections through.
    pub fn open(&self) {
        self.0.send_replace(true);
    }
}

/// Relays. They end when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Relays {
    tasks: JoinSet<()>,
}

impl Relays {
    /// Forwards what connects to `port` to `target`, both TCP on loopback, while all the gates are open. The target need
    /// not listen before.
    pub async fn add(&mut self, port: u16, target: u16, gates: &[&Gate]) -> anyhow::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("a relay cannot listen on port {port}"))?;
        self.tasks.spawn(serve(listener, target, gates.iter().map(|gate| gate.0.subscribe()).collect()));
        Ok(())
    }
}

type Gates = Vec<watch::Receiver<bool>>;

/// Returns once all gates are open; an error where their owner is gone.
async fn all_open(gates: &mut Gates) -> Result<(), watch::error::RecvError> {
    while let Some(closed) = gates.iter_mut().find(|gate| !*gate.borrow()) {
        closed.wait_for(|is_open| *is_open).await?;
    }
    Ok(())
}

/// Returns once a gate is closed, or its owner gone.
async fn one_closed(gates: &mut Gates) {
    let closed = gates.iter_mut().map(|gate| Box::pin(gate.wait_for(|is_open| !*is_open)));
    let _ = select_all(closed).await;
}

async fn serve(listener: TcpListener, target: u16, gates: Gates) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < CONNECTIONS_MAX => {
                    connections.spawn(forward(stream, target, gates.clone()));
                }
                // One too many, or one that was gone before it was accepted.
                _ => {}
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn forward(mut near: TcpStream, target: u16, mut gates: Gates) {
    // Nothing is read before it is forwarded, so that who waits finds nothing missing.
    if all_open(&mut gates).await.is_err() {
        return;
    }
    let Ok(mut far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { return };
    // Small messages are told at once, as on the connection that this one stands for.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        () = one_closed(&mut gates) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;
    use crate::Ports;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A server that answers each byte with the next one.
    async fn counter() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while let Ok(byte) = stream.read_u8().await {
                        if stream.write_u8(byte + 1).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        port
    }

    async fn ask(stream: &mut TcpStream, byte: u8) -> std::io::Result<u8> {
        stream.write_u8(byte).await?;
        timeout(PATIENCE, stream.read_u8()).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_cut_ends_and_who_waits_is_let_through_when_it_opens() {
        let target = counter().await;
        let port = Ports::anywhere().unwrap().free().unwrap();
        let (gate, other, mut relays) = (Gate::opened(), Gate::closed(), Relays::default());
        relays.add(port, target, &[&gate, &other]).await.unwrap();
        other.open();
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        let mut before = connect().await.unwrap();
        assert_eq!(ask(&mut before, 7).await.unwrap(), 8);

        gate.close();
        assert_eq!(timeout(PATIENCE, before.read(&mut [0; 1])).await.unwrap().unwrap_or(0), 0);
        let mut waiting = connect().await.unwrap();
        waiting.write_u8(1).await.unwrap();
        let early = timeout(Duration::from_millis(200), waiting.read_u8()).await;
        assert!(early.is_err(), "a closed relay forwards nothing, but {early:?} came");

        gate.open();
        assert_eq!(timeout(PATIENCE, waiting.read_u8()).await.unwrap().unwrap(), 2);
        assert_eq!(ask(&mut connect().await.unwrap(), 4).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn a_port_in_use_is_refused_by_its_number() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Relays::default().add(port, 1, &[&Gate::opened()]).await.unwrap_err().to_string();
        assert!(error.contains(&port.to_string()), "{error}");
    }
}
