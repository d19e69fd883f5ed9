//! What makes this a gateway for Impala.
