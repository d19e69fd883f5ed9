//! The snapshot of the configuration and server states that all workers read.
