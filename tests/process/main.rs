//! The process from outside: command line, messages, statuses, signals, rights, statistics.
//!
//! What HAProxy does the same way is asked of the installed haproxy too, where there is one.

#[path = "../support/flow.rs"]
mod flow;
#[path = "../support/mod.rs"]
mod support;

mod backends;
mod background;
mod command_line;
mod counters;
mod dynamic;
mod frontends;
mod hostility;
mod in_place;
mod inherited;
mod master;
mod reload;
mod rights;
mod run;
mod sessions;
mod signals;
mod stats_page;
mod stats_socket;
mod top;
mod upgrade;
