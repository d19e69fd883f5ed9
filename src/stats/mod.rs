//! Counters and their renderings.

pub mod counters;
