//! The atomics of this module: the standard ones, or loom's when the wake-up protocol is modelled.

#[cfg(px_loom)]
pub(super) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(px_loom))]
pub(super) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
