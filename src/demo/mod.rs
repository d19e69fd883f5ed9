//! Stand-in coordinators and the demonstration built on them.
//!
//! A [`StandIn`] answers Impala's clients (Beeswax, HiveServer2 binary) and its debug web page with
//! just enough that impala-shell, impyla, PyHive and JDBC run unchanged. It is not Impala: it knows a
//! handful of statements whose use is to show where a client was sent.
//! [`run()`] is `pronk demo`; [`client`] is the smallest HiveServer2 client.

mod beeswax;
mod coordinator;
mod handle;
mod hs2;
mod json;
mod options;
mod pages;
mod queries;
mod query;
mod rpc;
mod run;
mod screen;
mod service;
mod standin;
mod statement;
mod web;

pub mod client;

pub use coordinator::Cluster;
pub use run::run;
pub use service::Connections;
pub use standin::{Options, StandIn};
