//! The TCP ports of an Impala cluster at their defaults (Impala's `be/src/common/global-flags.cc`).

/// Clients, the Beeswax protocol (`--beeswax_port`).
pub const BEESWAX: u16 = 21000;
/// Clients, HiveServer2 over TBinaryProtocol (`--hs2_port`).
pub const HS2: u16 = 21050;
/// Clients, HiveServer2 over HTTP (`--hs2_http_port`).
pub const HS2_HTTP: u16 = 28000;
/// The debug web page (`--webserver_port`).
pub const WEB: u16 = 25000;
