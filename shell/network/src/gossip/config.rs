//! Gossipsub set up for Ethereum, with every default that would break it overridden.

use std::time::Duration;

use libp2p::gossipsub::{
    self, ConfigBuilder, MaxCountSubscriptionFilter, Message, MessageAuthenticity, PeerScoreParams,
    PeerScoreThresholds, TopicHash, TopicScoreParams, TopicSubscriptionFilter, ValidationMode,
};

use super::message_id::{message_id, topic_digest};
use super::snappy::Snappy;
use super::topic::Topic;
use crate::config::{Config, GossipParams, max_compressed_len, max_message_size};

/// Topics of one peer. A node on every subnet of Fulu has 206; around a change of the digest it has them twice, and
/// four times if the digest changes every epoch.
pub(crate) const TOPICS_MAX: usize = 1024;
/// Longest topic, bytes.
const TOPIC_LEN_MAX: usize = 128;
/// All subscriptions and control messages of one RPC. The library's 16 KiB cannot hold the greeting of a
/// node on all subnets around a fork.
const CONTROL_SIZE_MAX: usize = 1024 * 1024;

/// Below this score a peer is not heard at all, and the peer book sends it away.
pub(crate) const GRAYLIST_THRESHOLD: f64 = -16_000.0;

/// How long nobody grafts after a prune, or after one side has left the topic. Whoever hears that a peer left refuses and
/// penalizes its grafts for the backoff of a prune, whatever shorter time the peer named when it left; so the two are
/// the same here.
pub(crate) const BACKOFF: Duration = Duration::from_secs(60);

/// What all topics together may add to a peer's score.
const TOPIC_SCORE_CAP: f64 = 50.0;
/// What an invalid message costs, times their number squared, in every topic alike.
const INVALID_PENALTY: f64 = -70.0;

/// Lets peers subscribe to well-formed topics only.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Eth2Topics;

impl TopicSubscriptionFilter for Eth2Topics {
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        topic.as_str().len() <= TOPIC_LEN_MAX && topic_digest(topic.as_str()).is_some()
    }
}

/// Gossipsub as we use it.
pub(crate) type Gossip = gossipsub::Behaviour<Snappy, MaxCountSubscriptionFilter<Eth2Topics>>;

/// The behaviour for a checked configuration.
pub(crate) fn behaviour(config: &Config) -> Result<Gossip, String> {
    let params = gossipsub_config(&config.gossip, config.max_payload_size)?;
    let filter = MaxCountSubscriptionFilter {
        filter: Eth2Topics,
        max_subscribed_topics: TOPICS_MAX,
        max_subscriptions_per_request: TOPICS_MAX,
    };
    let snappy = Snappy::new(config.max_payload_size, config.gossip.payloads);
    // StrictNoSign: no author, no sequence number, no signature.
    let mut gossip = Gossip::new_with_subscription_filter_and_transform(
        MessageAuthenticity::Anonymous,
        params,
        filter,
        snappy,
    )?;
    gossip.with_peer_score(score_params(&config.gossip), thresholds())?;
    Ok(gossip)
}

fn gossipsub_config(params: &GossipParams, max_payload_size: usize) -> Result<gossipsub::Config, String> {
    let heartbeat = Duration::from_millis(params.heartbeat_ms);
    let (domain, phase0_digest) = (params.message_domain_valid_snappy, params.phase0_digest);
    let identify = move |message: &Message| {
        let id = message_id(domain, phase0_digest, message.topic.as_str(), &message.data);
        gossipsub::MessageId::new(&id.0)
    };
    // `max_transmit_size` bounds the compressed payload on publishing and the RPC on the wire; the
    // payload's own bound is held by the transform.
    debug_assert!(max_compressed_len(max_payload_size) <= max_message_size(max_payload_size));
    ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(identify)
        .mesh_n(params.mesh_n)
        .mesh_n_low(params.mesh_n_low)
        .mesh_n_high(params.mesh_n_high)
        .mesh_outbound_min((params.mesh_n_low / 3).min(params.mesh_n / 2))
        .gossip_lazy(params.gossip_lazy)
        .heartbeat_initial_delay(heartbeat)
        .heartbeat_interval(heartbeat)
        .prune_backoff(BACKOFF)
        .unsubscribe_backoff(BACKOFF)
        .fanout_ttl(Duration::from_secs(params.fanout_ttl_seconds))
        .history_length(params.history_length)
        .history_gossip(params.history_gossip)
        .duplicate_cache_time(Duration::from_millis(params.seen_ttl_ms()))
        .max_transmit_size(max_message_size(max_payload_size))
        .max_control_message_size(CONTROL_SIZE_MAX)
        .flood_publish(false)
        .allow_self_origin(true)
        .idontwant_on_publish(true)
        .idontwant_message_size_threshold(1000)
        .build()
        .map_err(|error| error.to_string())
}

fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: -4_000.0,
        publish_threshold: -8_000.0,
        graylist_threshold: GRAYLIST_THRESHOLD,
        accept_px_threshold: 100.0,
        opportunistic_graft_threshold: 5.0,
    }
}

fn score_params(params: &GossipParams) -> PeerScoreParams {
    let epoch = Duration::from_millis(params.slot_ms.saturating_mul(params.slots_per_epoch));
    let decay_interval = Duration::from_millis(params.slot_ms).max(Duration::from_secs(1));
    let decay = |over: Duration| {
        let over = over.max(decay_interval * 2);
        gossipsub::score_parameter_decay_with_base(over, decay_interval, 0.01)
    };
    PeerScoreParams {
        topic_score_cap: TOPIC_SCORE_CAP,
        app_specific_weight: 1.0,
        // Many peers behind one address are normal on loopback and private networks.
        ip_colocation_factor_weight: if params.ip_colocation_max.is_some() { -50.0 } else { 0.0 },
        ip_colocation_factor_threshold: params.ip_colocation_max.map_or(1.0, |max| f64::from(max.max(1))),
        ip_colocation_factor_whitelist: [[127, 0, 0, 1].into(), std::net::Ipv6Addr::LOCALHOST.into()].into(),
        behaviour_penalty_weight: -16.0,
        behaviour_penalty_threshold: 6.0,
        behaviour_penalty_decay: decay(epoch * 10),
        decay_interval,
        decay_to_zero: 0.01,
        retain_score: epoch * 100,
        ..PeerScoreParams::default()
    }
}

/// What a topic weighs. Topics that come in large numbers or are silent most of the time weigh less, so that a peer
/// gains as much by one kind as by another.
fn topic_weight(topic: Option<Topic>) -> f64 {
    match topic {
        Some(Topic::SyncCommittee(_) | Topic::BlobSidecar(_)) => 0.1,
        Some(Topic::DataColumnSidecar(_)) => 0.02,
        Some(Topic::BlsToExecutionChange) => 0.05,
        Some(Topic::LightClientFinalityUpdate | Topic::LightClientOptimisticUpdate) => 0.05,
        _ => 0.5,
    }
}

/// Score parameters of a subscribed topic: deliveries count a little for a peer, invalid messages heavily
/// against it. Missing deliveries (P3) are not punished: with few peers and few validators a silent mesh
/// is normal, and a wrong guess of the message rate would take honest peers away.
///
/// Bounds: one topic gives 32 times its weight at most, all topics together [`TOPIC_SCORE_CAP`]. Invalid messages cost the same in every topic, [`INVALID_PENALTY`] times their number squared,
/// so that sixteen of them bring a peer to where it is not heard.
pub(crate) fn topic_score_params(params: &GossipParams, topic: Option<Topic>) -> TopicScoreParams {
    let weight = topic_weight(topic);
    let slot = Duration::from_millis(params.slot_ms.max(1));
    let epoch = slot * u32::try_from(params.slots_per_epoch).unwrap_or(32);
    let decay_interval = slot.max(Duration::from_secs(1));
    let decay = |over: Duration| {
        let over = over.max(decay_interval * 2);
        gossipsub::score_parameter_decay_with_base(over, decay_interval, 0.01)
    };
    TopicScoreParams {
        topic_weight: weight,
        time_in_mesh_weight: 0.03,
        time_in_mesh_quantum: slot,
        time_in_mesh_cap: 300.0,
        first_message_deliveries_weight: 1.0,
        first_message_deliveries_decay: decay(epoch * 20),
        first_message_deliveries_cap: 23.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: INVALID_PENALTY / weight,
        invalid_message_deliveries_decay: decay(epoch * 50),
        ..TopicScoreParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;

    /// A topic of each weight, and one that is no topic of ours.
    fn kinds() -> [Option<Topic>; 7] {
        [
            None,
            Some(Topic::BeaconBlock),
            Some(Topic::Attestation(3)),
            Some(Topic::SyncCommittee(1)),
            Some(Topic::BlobSidecar(0)),
            Some(Topic::DataColumnSidecar(5)),
            Some(Topic::LightClientFinalityUpdate),
        ]
    }

    #[test]
    fn an_invalid_message_costs_the_same_in_every_topic_and_no_topic_can_outweigh_it() {
        for topic in kinds() {
            let params = topic_score_params(&GossipParams::default(), topic);
            let penalty = params.topic_weight * params.invalid_message_deliveries_weight;
            assert!((penalty - INVALID_PENALTY).abs() < 1e-9, "{topic:?}");
            let most = params.time_in_mesh_weight * params.time_in_mesh_cap
                + params.first_message_deliveries_weight * params.first_message_deliveries_cap;
            assert!(params.topic_weight * most <= TOPIC_SCORE_CAP / 3.0, "{topic:?}");
        }
        // Sixteen invalid messages outweigh the best score there is.
        const { assert!(16.0 * 16.0 * INVALID_PENALTY + TOPIC_SCORE_CAP < GRAYLIST_THRESHOLD) };
        const { assert!(15.0 * 15.0 * INVALID_PENALTY > GRAYLIST_THRESHOLD) };
    }

    #[test]
    fn the_library_accepts_our_parameters_for_short_and_long_slots() {
        for (slot_ms, slots_per_epoch) in [(12_000, 32), (6_000, 8), (300, 8)] {
            let mut config = Config::new(SecretKey::generate());
            config.gossip.slot_ms = slot_ms;
            config.gossip.slots_per_epoch = slots_per_epoch;
            config.gossip.ip_colocation_max = Some(8);
            assert!(behaviour(&config).is_ok());
            assert!(score_params(&config.gossip).validate().is_ok());
            for topic in kinds() {
                assert!(topic_score_params(&config.gossip, topic).validate().is_ok());
            }
        }
    }

    #[test]
    fn no_default_that_breaks_ethereum_is_left() {
        let config = gossipsub_config(&GossipParams::default(), 10 * 1024 * 1024).unwrap();
        assert_eq!((config.mesh_n(), config.mesh_n_low(), config.mesh_n_high()), (8, 6, 12));
        assert!(config.max_transmit_size() > 12_000_000 && config.max_control_message_size() >= 1 << 20);
        assert_eq!(config.duplicate_cache_time(), Duration::from_secs(768));
        assert!(config.validate_messages() && !config.flood_publish() && config.idontwant_on_publish());
        assert_eq!(config.heartbeat_interval(), Duration::from_millis(700));
        assert_eq!((config.prune_backoff(), config.unsubscribe_backoff()), (BACKOFF, BACKOFF));
    }

    #[test]
    fn only_topics_of_ethereum_may_be_subscribed() {
        assert!(Eth2Topics.can_subscribe(&TopicHash::from_raw("/eth2/00000000/beacon_block/ssz_snappy")));
        assert!(!Eth2Topics.can_subscribe(&TopicHash::from_raw("chat")));
        let long = format!("/eth2/00000000/{}/ssz_snappy", "a".repeat(200));
        assert!(!Eth2Topics.can_subscribe(&TopicHash::from_raw(long)));
    }
}
