//! Where things wait in the node, and how many may.

use std::fmt;

/// A place where things wait.
pub struct Queue {
    /// Its name, which labels its metrics.
    pub name: &'static str,
    /// How many may wait; none where the bound is that of what was given out.
    pub bound: Option<usize>,
    depth: Box<dyn Fn() -> usize + Send + Sync>,
}

impl Queue {
    /// How many wait now.
    pub fn depth(&self) -> usize {
        (self.depth)()
    }
}

/// All such places. Their depths are read without a wait.
#[derive(Default)]
pub struct Queues(Vec<Queue>);

impl Queues {
    /// Adds a place.
    pub fn add(
        &mut self,
        name: &'static str,
        bound: Option<usize>,
        depth: impl Fn() -> usize + Send + Sync + 'static,
    ) {
        self.0.push(Queue { name, bound, depth: Box::new(depth) });
    }

    /// All places, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Queue> {
        self.0.iter()
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|queue| queue.name)).finish()
    }
}
