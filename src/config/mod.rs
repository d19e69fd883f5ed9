//! haproxy.cfg: text in, [`model::Config`] and diagnostics out. Pure.

pub mod model;
