//! Pronk, the gateway in front of an Apache Impala cluster. This page is the code map.

pub mod admin;
pub mod balance;
pub mod cli;
pub mod config;
pub mod demo;
pub mod health;
pub mod impala;
pub mod load;
pub mod log;
pub mod process;
pub mod ring;
pub mod rules;
pub mod session;
pub mod stats;
pub mod sys;
pub mod table;
pub mod timers;
pub mod worker;
