//! Asks everybody and compares.

use crate::case::{Case, Outcome};
use crate::known;
use crate::ours;
use crate::peer::{Peer, PeerName};

/// What everybody said.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Ours.
    pub ours: Outcome,
    /// The others', in the order in which they were asked.
    pub theirs: Vec<(PeerName, Outcome)>,
}

/// What that comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All say the same, or nobody else said anything.
    Same,
    /// Some differ, as is known of them.
    Known(Vec<&'static str>),
    /// Ours differs from the first of the others that answered; this one.
    OursDiffers(PeerName),
    /// Ours and the first agree, and this one differs.
    TheirsDiffers(PeerName),
}

/// Runs a case everywhere. The children compute while ours does.
pub fn ask(case: &Case, peers: &mut [Peer], post: bool) -> Answers {
    for peer in peers.iter_mut() {
        peer.ask(case, post);
    }
    let ours = ours::run(case);
    let theirs = peers.iter_mut().map(|peer| (peer.name(), peer.answer(case))).collect();
    Answers { ours, theirs }
}

/// Compares the answers. The first of the others that answered is what ours is measured by.
pub fn judge(case: &Case, answers: &Answers) -> Verdict {
    let mut reasons = Vec::new();
    let mut reference: Option<&Outcome> = None;
    for (name, theirs) in &answers.theirs {
        if matches!(theirs, Outcome::NoAnswer(_)) {
            continue;
        }
        if answers.ours.agrees_with(theirs) {
            reference = reference.or(Some(theirs));
            continue;
        }
        match known::reason(case, &answers.ours, *name, theirs) {
            Some(reason) => reasons.push(reason),
            None if reference.is_some() => return Verdict::TheirsDiffers(*name),
            None => return Verdict::OursDiffers(*name),
        }
    }
    if reasons.is_empty() { Verdict::Same } else { Verdict::Known(reasons) }
}

#[cfg(test)]
mod tests {
    use types::Root;

    use super::*;

    fn accepted(root: u8) -> Outcome {
        Outcome::Accepted { root: Root::from([root; 32]), post: None }
    }

    fn verdict(ours: Outcome, spec: Outcome, lodestar: Outcome) -> Verdict {
        let case = Case::without_state();
        let theirs = vec![(PeerName::Spec, spec), (PeerName::Lodestar, lodestar)];
        judge(&case, &Answers { ours, theirs })
    }

    #[test]
    fn who_differs_is_told_from_who_agrees() {
        let refused = || Outcome::Refused("no".into());
        let silent = || Outcome::NoAnswer("dead".into());
        assert_eq!(verdict(accepted(1), accepted(1), accepted(1)), Verdict::Same);
        assert_eq!(verdict(refused(), refused(), refused()), Verdict::Same);
        assert_eq!(verdict(accepted(1), silent(), silent()), Verdict::Same);
        assert_eq!(verdict(accepted(1), accepted(2), accepted(2)), Verdict::OursDiffers(PeerName::Spec));
        assert_eq!(verdict(accepted(1), accepted(2), accepted(1)), Verdict::OursDiffers(PeerName::Spec));
        assert_eq!(verdict(accepted(1), refused(), accepted(1)), Verdict::OursDiffers(PeerName::Spec));
        assert_eq!(
            verdict(accepted(1), accepted(1), accepted(2)),
            Verdict::TheirsDiffers(PeerName::Lodestar)
        );
        assert_eq!(verdict(accepted(1), silent(), accepted(2)), Verdict::OursDiffers(PeerName::Lodestar));
        let panicked = Outcome::Panicked("oh".into());
        assert_eq!(verdict(panicked, refused(), refused()), Verdict::OursDiffers(PeerName::Spec));
    }
}
