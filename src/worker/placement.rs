//! On which worker an accepted connection lives. Its session may last for hours, so it must not stay on a crowded worker
//! while another is idle; handing it over costs a message, so small differences stay.

/// A worker hands over what would make it carry this many more than the mean, or an eighth more.
const CROWDED_BY: u32 = 4;

/// The worker to give a new connection to; None: it stays on `own`. `live` tells a worker's connections, those on
/// their way to it included.
pub(super) fn elsewhere(own: usize, workers: usize, live: impl Fn(usize) -> u32) -> Option<usize> {
    if workers < 2 {
        return None;
    }
    let mean = ((0..workers).map(&live).sum::<u32>() + 1) / workers as u32;
    if live(own) + 1 < mean + CROWDED_BY.max(mean / 8) {
        return None;
    }
    (0..workers).min_by_key(|&worker| live(worker)).filter(|&least| least != own)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections that arrive as the kernel spreads them, at random, and stay; the loads at the end and how many were
    /// handed over.
    fn spread(connections: u32, workers: usize, seed: u64) -> (Vec<u32>, u32) {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut live, mut handed_over) = (vec![0; workers], 0);
        for _ in 0..connections {
            let own = random.usize(..workers);
            let other = elsewhere(own, workers, |worker| live[worker]);
            handed_over += u32::from(other.is_some());
            live[other.unwrap_or(own)] += 1;
        }
        (live, handed_over)
    }

    #[test]
    fn a_hundred_long_lived_connections_lie_within_a_fifth_of_the_mean() {
        for workers in [2, 4, 8] {
            for seed in 0..1000 {
                let (live, _) = spread(100, workers, seed);
                let most = live.iter().max().copied().unwrap_or(0);
                assert!(
                    f64::from(most) * workers as f64 / 100.0 <= 1.2,
                    "{workers} workers, seed {seed}: {live:?}"
                );
            }
        }
    }

    #[test]
    fn many_connections_are_seldom_handed_over() {
        let moved: u32 = (0..100).map(|seed| spread(10_000, 8, seed).1).sum();
        assert!(moved < 100 * 10_000 / 100, "{moved} of a million");
    }

    #[test]
    fn alone_or_in_step_a_worker_keeps_what_it_accepts() {
        assert_eq!(elsewhere(0, 1, |_| 1000), None);
        assert_eq!(elsewhere(0, 2, |_| 0), None);
        assert_eq!(elsewhere(1, 2, |_| 50), None);
    }

    #[test]
    fn the_least_loaded_takes_what_is_too_much() {
        let live = [3, 20, 9];
        assert_eq!(elsewhere(1, 3, |worker| live[worker]), Some(0));
        assert_eq!(elsewhere(2, 3, |worker| live[worker]), None);
    }
}
