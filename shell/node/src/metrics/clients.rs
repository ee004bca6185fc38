//! Which client a peer runs, by what it says of itself.

/// The clients that are told apart; every other name counts as `other`, and who has not said it yet as `unknown`.
pub const CLIENTS: [&str; 10] = [
    "interlock",
    "lighthouse",
    "lodestar",
    "nimbus",
    "prysm",
    "teku",
    "grandine",
    "caplin",
    "other",
    "unknown",
];

/// The client of an agent string such as `Lighthouse/v7.1.0-…/x86_64-linux`.
pub fn client(agent: &str) -> &'static str {
    let name = agent.split(['/', ' ']).next().unwrap_or_default().to_ascii_lowercase();
    let name = match name.as_str() {
        "" => return "unknown",
        "erigon" => "caplin",
        "js-libp2p" => "lodestar",
        name => name,
    };
    CLIENTS[..8].iter().find(|known| name.starts_with(**known)).copied().unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_peer_calls_itself_the_names_are_of_the_list() {
        for (agent, expected) in [
            ("Lighthouse/v7.1.0-cfb1f73/x86_64-linux", "lighthouse"),
            ("teku/teku/v25.9.3/linux-x86_64", "teku"),
            ("Prysm/v6.0.4/abc", "prysm"),
            ("nimbus", "nimbus"),
            ("lodestar/v1.35.0", "lodestar"),
            ("Grandine/1.1.4", "grandine"),
            ("Interlock/v0.1.0", "interlock"),
            ("", "unknown"),
            ("mallory{label=\"x\"}", "other"),
        ] {
            assert_eq!(client(agent), expected, "{agent}");
            assert!(CLIENTS.contains(&client(agent)));
        }
    }
}
