//! A peer that offers mplex alone and only the first versions, as older clients do.

use futures::StreamExt;
use libp2p::core::upgrade::Version;
use libp2p::gossipsub::IdentTopic;
use libp2p::identity::Keypair;
use libp2p::swarm::{self, Swarm, SwarmEvent};
use libp2p::{Transport, noise, tcp};

use super::*;
use crate::behaviour::{Behaviour, BehaviourEvent, mplex};
use crate::reqresp::peer_streams::FromStreams;
use crate::reqresp::protocol::Method;
use crate::reqresp::replies::Reply;

const TOPIC: &str = "/eth2/b5303f2a/beacon_block/ssz_snappy";

fn mplex_only() -> Swarm<Behaviour> {
    let key = SecretKey::generate();
    let keypair: Keypair = key.keypair();
    let mut config = Config::loopback(key);
    config.agent = "other/1".to_owned();
    let transport = tcp::tokio::Transport::default()
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&keypair).unwrap())
        .multiplex(mplex())
        .map(|(peer, muxer), _| (peer, libp2p::core::muxing::StreamMuxerBox::new(muxer)))
        .boxed();
    let behaviour = Behaviour::new(&config, &keypair).unwrap();
    Swarm::new(transport, behaviour, keypair.public().to_peer_id(), swarm::Config::with_tokio_executor())
}

#[tokio::test]
async fn a_peer_that_speaks_only_mplex_shakes_hands_gossips_and_serves_blocks() {
    let mut ours = node(|_| {}).await;
    ours.handle.subscribe(TOPIC.to_owned()).await;
    let mut theirs = mplex_only();
    let their_id = *theirs.local_peer_id();
    let topic = IdentTopic::new(TOPIC);
    theirs.behaviour_mut().gossip.subscribe(&topic).unwrap();
    theirs.dial(ours.handle.listen_address().clone()).unwrap();
    let our_id = ours.peer();

    let peer_task = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(300));
        let mut round = 0u8;
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    round = round.wrapping_add(1);
                    let _ = theirs.behaviour_mut().gossip.publish(topic.hash(), vec![round; 2000]);
                }
                event = theirs.select_next_some() => match event {
                    SwarmEvent::ConnectionEstablished { .. } => {
                        theirs.behaviour_mut().reqresp.ask(our_id, Method::Status, status(5));
                    }
                    SwarmEvent::Behaviour(BehaviourEvent::Reqresp(event)) => {
                        if let FromStreams::Request { protocol, replies, .. } = event.event {
                            let reply = match protocol.method {
                                Method::Ping => Reply::chunk(None, &[0; 8]),
                                Method::Metadata => Reply::chunk(None, &[0; 17]),
                                _ => Reply::chunk(Some([4; 4]), &vec![8; 300_000]),
                            };
                            replies.try_send(reply).unwrap();
                            replies.try_send(Reply::End).unwrap();
                        }
                    }
                    _ => {}
                }
            }
        }
    });

    let (mut seen_status, mut seen_agent) = (None, None);
    let both = ours.expect("status and agent", |event| {
        match event {
            NetworkEvent::PeerStatus { status, .. } => seen_status = Some(status),
            NetworkEvent::IdentifyInfo { agent, .. } => seen_agent = Some(agent),
            _ => {}
        }
        seen_status.clone().zip(seen_agent.clone())
    });
    assert_eq!(both.await, (status(5), "other/1".to_owned()));
    let data = ours.expect("gossip", |event| match event {
        NetworkEvent::Gossip { data, .. } => Some(data),
        _ => None,
    });
    assert_eq!(data.await.len(), 2000);
    ours.handle.request(their_id, Method::BlocksByRoot, vec![1; 32], 3).await;
    let chunk = ours.expect("chunk", |event| match event {
        NetworkEvent::ResponseChunk { request_id: 3, context, ssz, .. } => Some((context, ssz.len())),
        _ => None,
    });
    assert_eq!(chunk.await, (Some([4; 4]), 300_000));
    peer_task.abort();
}
