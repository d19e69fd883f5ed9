//! What the integration tests share: proxies started and stopped, peers that do as they are told,
//! and a syslog collector. Every wait has a deadline, every port comes from the kernel.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod child;
pub mod echo;
pub mod peer;
pub mod port;
pub mod proxy;
pub mod server;
pub mod stats;
pub mod storm;
pub mod stream;
pub mod syslog;

use std::time::{Duration, Instant};

/// How long a test waits for what must happen before it calls it a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks `done` again and again until it answers or `within` has passed.
pub fn wait_for<T>(within: Duration, mut done: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = done() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
