//! A real ring, and what a session or a worker sees of it.

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use io_uring::opcode;
use rustix::event::{EventfdFlags, eventfd};

use super::token::{Kind, Token};
use super::{Event, Ring, Settings};

fn ring() -> Ring {
    Ring::new(&Settings { buffer_size: 4096, buffers: 256, pipe_size: 65_536, pipes: 2 }).expect("a ring")
}

/// Whether there is mail within a moment.
fn mail(ring: &mut Ring) -> bool {
    let end = Instant::now() + Duration::from_millis(500);
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        ring.wait(Some(left)).expect("the ring waits");
        let events = std::iter::from_fn(|| ring.next_event());
        if events.filter(|event| matches!(event, Event::Mail)).count() > 0 {
            return true;
        }
    }
    false
}

#[test]
fn mail_is_seen_after_its_watch_has_ended() {
    let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).expect("an eventfd");
    let mut ring = ring();
    ring.watch_mail(bell.as_raw_fd());
    let entry = opcode::AsyncCancel::new(Token::plain(Kind::Mail, 0).pack()).build();
    ring.push(entry.user_data(Token::plain(Kind::Cancel, 0).pack()));
    assert!(mail(&mut ring), "the end of the watch is told");
    assert!(!mail(&mut ring), "nobody rang");
    rustix::io::write(&bell, &1_u64.to_ne_bytes()).expect("the bell rings");
    assert!(mail(&mut ring));
}
