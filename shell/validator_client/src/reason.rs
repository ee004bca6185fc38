//! Why duties were missed, as a label: the machine explains each miss in words, of which there are too many for one.

/// The labels.
pub(crate) const REASONS: [&str; 9] = [
    "not_signed",
    "refused",
    "not_published",
    "node_unreachable",
    "node_not_ready",
    "node_gave_nothing",
    "wrong_answer",
    "learned_too_late",
    "other",
];

/// What the node says with this status: it is syncing, or its head is not verified.
const NOT_READY: &str = "503: ";

/// The label of an explanation, one of [`REASONS`].
pub(crate) fn reason(why: &str) -> &'static str {
    let starts = |beginnings: &[&str]| beginnings.iter().any(|beginning| why.starts_with(beginning));
    if starts(&["it was not signed", "the selection proof", "the signer"]) {
        "not_signed"
    } else if starts(&["the node refused it"]) {
        "refused"
    } else if starts(&["it was not published"]) {
        "not_published"
    } else if starts(&["it was learned too late", "those before slot"]) {
        "learned_too_late"
    } else if let Some((_, cause)) = asked_in_vain(why) {
        match cause {
            cause if cause.starts_with(NOT_READY) => "node_not_ready",
            cause if cause.starts_with("unexpected answer") || cause.starts_with("it gave some") => {
                "wrong_answer"
            }
            cause if is_status(cause) || cause == "no answer in time" => "node_gave_nothing",
            _ => "node_unreachable",
        }
    } else if why.ends_with("in time") {
        "node_gave_nothing"
    } else if starts(&["the node's", "the node says", "the node named"]) {
        "wrong_answer"
    } else {
        "other"
    }
}

/// What the node was asked for, and why it was not had.
fn asked_in_vain(why: &str) -> Option<(&str, &str)> {
    let rest = ["the node gave no ", "the node named no ", "the node did not say "];
    rest.iter().find_map(|beginning| why.strip_prefix(beginning))?.split_once(": ")
}

/// True for `404: …`.
fn is_status(cause: &str) -> bool {
    cause.split_once(": ").is_some_and(|(code, _)| code.len() == 3 && code.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_explanation_has_its_label() {
        for (why, expected) in [
            ("it was not signed: the history forbids it: another vote for target 3", "not_signed"),
            ("the signer answered with too few signatures", "not_signed"),
            ("the selection proofs were not signed: locked", "not_signed"),
            ("the node refused it: the slot is over", "refused"),
            ("it was not published: cannot connect", "not_published"),
            ("the node gave no attestation data: cannot connect", "node_unreachable"),
            ("the node gave no block: 503: the node is syncing", "node_not_ready"),
            ("the node gave no block: 500: no", "node_gave_nothing"),
            ("the node gave no attestation data in time", "node_gave_nothing"),
            ("the node named no head in time", "node_gave_nothing"),
            ("the node named no head: 503: syncing", "node_not_ready"),
            ("the node did not say when they were due: no answer in time", "node_gave_nothing"),
            ("the node gave no attestation data: it gave some for slot 4", "wrong_answer"),
            ("the node gave no aggregate: unexpected answer: no data", "wrong_answer"),
            ("the node's block is for slot 7", "wrong_answer"),
            ("the node says that validator 3 proposes", "wrong_answer"),
            ("it was learned too late, or the clock leapt over the slot", "learned_too_late"),
            ("those before slot 9: the duties became known after their slots", "learned_too_late"),
            ("something new", "other"),
        ] {
            assert_eq!(reason(why), expected, "{why}");
            assert!(REASONS.contains(&reason(why)));
        }
    }
}
