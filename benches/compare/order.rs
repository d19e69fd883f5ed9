//! In which order the proxies work. Whoever comes next finds the caches, the clock and the memory of the machine as the
//! one before has left them: that must not always be the same one.

/// Another one draws other orders; every run of the same comparison draws the same.
pub const SEED: u64 = 1;

/// Draws an order each time, all of them equally likely.
pub struct Order(fastrand::Rng);

impl Order {
    pub fn new(seed: u64) -> Order {
        Order(fastrand::Rng::with_seed(seed))
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        self.0.shuffle(all);
    }
}
