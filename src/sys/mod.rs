//! Every system call that is not the ring's. Safe functions over narrow `unsafe` blocks.
#![allow(unsafe_code)]

pub mod cpu;
pub mod daemon;
pub mod descriptor;
pub mod limits;
mod option;
pub mod passing;
pub mod pipe;
pub mod reuseport;
pub mod signal;
pub mod socket;
pub mod terminal;
pub mod topology;
pub mod user;
