//! Start, threads, signals, stop.
