//! The life of one connection: a pure state machine over operations and their completions.

pub mod op;
pub mod termination;
