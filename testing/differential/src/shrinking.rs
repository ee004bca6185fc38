//! Makes a recipe as small as it can be while it still shows a difference.

use crate::campaign::kind_of;
use crate::judge::{ask, judge};
use crate::peer::Peer;
use crate::recipe::{Kitchen, Recipe};

/// How many smaller recipes are tried.
const TRIES_MAX: usize = 250;

/// The smallest recipe found that shows this kind of difference, and how many were tried.
pub fn shrink(kitchen: &mut Kitchen, peers: &mut [Peer], recipe: &Recipe, kind: &str) -> (Recipe, usize) {
    let mut tries = 0;
    let mut differs = |candidate: &Recipe| {
        tries += 1;
        tries <= TRIES_MAX
            && kitchen.case(candidate).is_ok_and(|case| {
                let answers = ask(&case, peers, false);
                kind_of(candidate, &answers, &judge(&case, &answers)) == kind
            })
    };
    let mut smallest = smaller(recipe.clone(), &mut differs);
    // What is left may need less once something else is gone.
    loop {
        let again = smaller(smallest.clone(), &mut differs);
        if again == smallest {
            return (smallest, tries.min(TRIES_MAX));
        }
        smallest = again;
    }
}

fn smaller(mut recipe: Recipe, differs: &mut impl FnMut(&Recipe) -> bool) -> Recipe {
    let mut attempt = |recipe: &mut Recipe, change: &dyn Fn(&mut Recipe)| {
        let mut candidate = recipe.clone();
        change(&mut candidate);
        if candidate != *recipe && differs(&candidate) {
            *recipe = candidate;
        }
    };
    while recipe.gaps.len() > 1 {
        let count = recipe.gaps.len();
        attempt(&mut recipe, &|recipe| {
            recipe.gaps.pop();
        });
        if recipe.gaps.len() == count {
            break;
        }
    }
    // Halves first, then single changes, the last ones before those that they may build on.
    let mut size = recipe.mutations.len().div_ceil(2);
    while size > 0 {
        let mut end = recipe.mutations.len();
        while end > 0 {
            let start = end.saturating_sub(size);
            attempt(&mut recipe, &|recipe| {
                recipe.mutations.drain(start..end.min(recipe.mutations.len()));
            });
            end = start;
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    attempt(&mut recipe, &|recipe| recipe.signatures = false);
    attempt(&mut recipe, &|recipe| recipe.warm_up = 0);
    attempt(&mut recipe, &|recipe| recipe.participation = 0);
    attempt(&mut recipe, &|recipe| recipe.gaps.iter_mut().for_each(|gap| *gap = 1));
    recipe
}
