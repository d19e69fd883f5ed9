//! first: the lowest id that has a free slot, so that the servers at the end can be switched off.

use std::sync::Arc;

use crate::table::ServerEntry;

use super::Choice;
use super::slots::Slots;

/// The candidates by HAProxy's server id.
pub(super) fn by_number(servers: &[ServerEntry], candidates: &[u16]) -> Arc<[u16]> {
    let mut order = candidates.to_vec();
    order.sort_by_key(|&at| servers[usize::from(at)].number);
    order.into()
}

pub(super) fn choose(order: &[u16], slots: &Slots<'_>, avoid: Option<u16>) -> Choice {
    slots.take_first(order.iter().copied(), avoid)
}
