//! Since when a backend can serve, and how often and long it could not.

/// The history of one backend (`lastchg`, `downtime`, `chkdown` of its row).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outages {
    down: bool,
    /// Of the last change, process clock.
    pub since_ms: u64,
    /// Changes from up to down.
    pub downs: u64,
    down_ms: u64,
}

impl Outages {
    /// At the start, which is no change.
    pub(super) fn begin(down: bool) -> Outages {
        Outages { down, ..Outages::default() }
    }

    /// How it is from `now_ms` on.
    pub(super) fn note(&mut self, down: bool, now_ms: u64) {
        if down == self.down {
            return;
        }
        if down {
            self.downs += 1;
        } else {
            self.down_ms += now_ms.saturating_sub(self.since_ms);
        }
        (self.down, self.since_ms) = (down, now_ms);
    }

    /// Time spent without a usable server until `now_ms`.
    pub fn downtime_ms(&self, now_ms: u64) -> u64 {
        self.down_ms + if self.down { now_ms.saturating_sub(self.since_ms) } else { 0 }
    }
}
