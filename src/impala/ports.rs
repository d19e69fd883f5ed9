//! The TCP ports of an Impala cluster at their defaults (Impala's `be/src/common/global-flags.cc`).

/// Clients, the Beeswax protocol (`--beeswax_port`).
pub const BEESWAX: u16 = 21000;
/// Clients, HiveServer2 over TBinaryProtocol (`--hs2_port`).
pub const HS2: u16 = 21050;
/// Clients, HiveServer2 over HTTP (`--hs2_http_port`; 0 there switches it off).
pub const HS2_HTTP: u16 = 28000;
/// An impalad's debug web page (`--webserver_port`).
pub const WEB: u16 = 25000;
/// The statestore's debug web page.
pub const STATESTORE_WEB: u16 = 25010;
/// The catalog service's debug web page.
pub const CATALOG_WEB: u16 = 25020;
