//! What makes this a gateway for Impala: its ports and the Thrift messages of its client protocols.
//!
//! An unsecured impalad speaks TBinaryProtocol over the bare connection: no length comes before a
//! message, it ends where its outermost struct ends. [`thrift::Message::read`] is that framing.

pub mod ports;
pub mod thrift;
