//! The worker's end: one wait-free ring per worker, nothing formatted, locked or allocated.

use std::sync::Arc;

use rtrb::Producer;

use super::doorbell::Doorbell;
use super::record::SessionRecord;

/// Session records that one worker may have under way; more are dropped and counted.
pub const RING_RECORDS: usize = 8192;

/// Where one worker puts the records of its sessions.
#[derive(Debug)]
pub struct SessionSink {
    ring: Producer<SessionRecord>,
    bell: Arc<Doorbell>,
}

impl SessionSink {
    pub(super) fn new(ring: Producer<SessionRecord>, bell: Arc<Doorbell>) -> Self {
        SessionSink { ring, bell }
    }

    /// Hands one record over; wait-free. False: the ring is full and the record is lost (the caller
    /// counts it in `dropped_logs`).
    ///
    /// Push once per session: at its end with [`LogStyle::Tcplog`](crate::config::model::LogStyle), as soon
    /// as the server is connected with `option logasap`, and at accept without `option tcplog`.
    pub fn push(&mut self, record: SessionRecord) -> bool {
        if record.config.proxies[usize::from(record.frontend.0)].logs.is_empty() {
            return true;
        }
        let taken = self.ring.push(record).is_ok();
        self.bell.ring();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::fixture;
    use rtrb::RingBuffer;

    #[test]
    fn a_full_ring_refuses_and_takes_again_when_drained() {
        let (producer, mut consumer) = RingBuffer::new(2);
        let mut sink = SessionSink::new(producer, Arc::new(Doorbell::new()));
        let record = fixture::record();
        assert_eq!([(); 3].map(|()| sink.push(record.clone())), [true, true, false]);
        assert!(consumer.pop().is_ok());
        assert!(sink.push(record));
    }

    #[test]
    fn a_frontend_without_targets_costs_nothing() {
        let (producer, consumer) = RingBuffer::new(1);
        let mut sink = SessionSink::new(producer, Arc::new(Doorbell::new()));
        let silent = SessionRecord { config: Arc::new(fixture::config()), ..fixture::record() };
        assert!((0..3).all(|_| sink.push(silent.clone())));
        assert!(consumer.is_empty());
    }
}
