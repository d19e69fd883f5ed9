//! A real ring, and what a session or a worker sees of it.

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use super::lines::Flags;
use super::token::{Kind, Token};
use super::{Event, Ring, Settings, Spinning};
use crate::session::op::{CloseHow, Completion, Direction, Errno, Op, Outcome, Side, Submit};
use crate::sys::socket::{Buffers, Route};

fn ring() -> Ring {
    ring_that_spins(Spinning::Never)
}

fn ring_that_spins(spin: Spinning) -> Ring {
    let settings =
        Settings { buffer_size: 4096, buffers: 256, pipe_size: 65_536, pipes: 2, spin, huge_pages: false };
    Ring::new(&settings).expect("a ring")
}

/// How often this thread gave up its core by itself.
fn sleeps() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("the kernel tells");
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|count| count.trim().parse().ok()).expect("a number")
}

#[test]
fn a_ring_that_spins_does_not_sleep_within_its_budget() {
    let slept = |spin, timeout| {
        let mut ring = ring_that_spins(spin);
        let before = sleeps();
        ring.wait(Some(timeout)).expect("the ring waits");
        sleeps() - before
    };
    let short = Duration::from_millis(5);
    assert!(slept(Spinning::Never, short) > 0);
    assert_eq!(slept(Spinning::Always, short), 0);
    assert_eq!(slept(Spinning::For(short), short), 0);
    assert!(slept(Spinning::For(Duration::from_millis(1)), short) > 0, "the budget is used up");
}

/// What a session in slot 0 asks of the ring; it has no server.
fn submit(ring: &mut Ring, op: Op) {
    ring.ops(0, |_| Err(std::io::ErrorKind::AddrNotAvailable.into())).submit(op);
}

/// The answer to slot 0's operation `wanted`.
fn answer(ring: &mut Ring, wanted: Completion) -> Outcome {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        while let Some(event) = ring.next_event() {
            if let Event::Completed { completion, outcome, .. } = event
                && completion == wanted
            {
                return outcome;
            }
        }
        assert!(Instant::now() < end, "no answer to {wanted:?}");
        ring.wait(Some(Duration::from_millis(100))).expect("the ring waits");
    }
}

/// A connected socket for slot 0 and its peer.
fn pair() -> (OwnedFd, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    ours.set_nonblocking(true).expect("non-blocking");
    (ours.into(), theirs)
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
    ring.cancel(Token::plain(Kind::Mail, 0));
    assert!(mail(&mut ring), "the end of the watch is told");
    assert!(!mail(&mut ring), "nobody rang");
    rustix::io::write(&bell, &1_u64.to_ne_bytes()).expect("the bell rings");
    assert!(mail(&mut ring));
}

/// It never sleeps, so only the kernel's flag in the ring says that the byte has come.
#[test]
fn a_ring_that_spins_sees_what_comes_meanwhile() {
    let mut ring = ring_that_spins(Spinning::Always);
    let (client, mut peer) = pair();
    ring.open(0, client);
    submit(&mut ring, Op::Fill(Direction::ToServer));
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        peer.write_all(b"query").expect("the peer speaks late");
        peer
    });
    let before = sleeps();
    ring.wait(Some(Duration::from_secs(5))).expect("the ring waits");
    assert_eq!(answer(&mut ring, Completion::Filled(Direction::ToServer)), Ok(5));
    assert_eq!(sleeps(), before);
    late.join().expect("the peer");
}

#[test]
fn a_glance_of_the_slots_former_session_is_forgotten() {
    let mut ring = ring();
    let (first, peer) = pair();
    ring.open(0, first);
    submit(&mut ring, Op::Hold(0));
    drop(peer);
    ring.wait(None).expect("the ring waits");
    // The kernel's answers come before what the glance has seen.
    let Some(Event::Completed { completion: Completion::Held, .. }) = ring.next_event() else {
        panic!("the glance sees the end at once")
    };
    submit(&mut ring, Op::Close(Side::Client, CloseHow::Fin));
    let (second, mut peer) = pair();
    peer.write_all(b"query").expect("the peer speaks first");
    ring.open(0, second);
    submit(&mut ring, Op::Hold(0));
    assert_eq!(answer(&mut ring, Completion::Held), Ok(5));
}

#[test]
fn a_watch_hears_the_end_before_the_bytes_ahead_of_it_are_written() {
    let mut ring = ring();
    let (client, mut peer) = pair();
    ring.open(0, client);
    peer.write_all(b"query").expect("the peer speaks first");
    submit(&mut ring, Op::Fill(Direction::ToServer));
    assert_eq!(answer(&mut ring, Completion::Filled(Direction::ToServer)), Ok(5));
    submit(&mut ring, Op::Watch);
    submit(&mut ring, Op::Unwatch);
    assert_eq!(answer(&mut ring, Completion::Watched), Err(Errno::ECANCELED));
    submit(&mut ring, Op::Watch);
    peer.write_all(b"more").expect("the peer speaks");
    drop(peer);
    assert_eq!(answer(&mut ring, Completion::Watched), Ok(0));
    submit(&mut ring, Op::Unwatch);
    assert_eq!(ring.held(0), b"query");
}

/// A session in `slot` whose client has said all it had to say, in the bulk phase: each splice finds the end again.
fn in_bulk(ring: &mut Ring, slot: u32) {
    let (client, peer) = pair();
    drop(peer);
    ring.open(slot, client);
    ring.lines[slot as usize].line_mut(Direction::ToServer).flags.set(Flags::BULK);
}

#[test]
fn bulk_leaves_a_turn_to_those_whose_messages_it_brought() {
    let steps = |messages: usize| {
        let mut ring = ring();
        in_bulk(&mut ring, 0);
        submit(&mut ring, Op::Fill(Direction::ToServer));
        ring.wait(None).expect("there is a splice to make");
        ring.messages = messages;
        let mut steps = 0;
        while let Some(event) = ring.next_event() {
            assert!(matches!(event, Event::Completed { slot: 0, outcome: Ok(0), .. }));
            submit(&mut ring, Op::Fill(Direction::ToServer));
            steps += 1;
        }
        ring.answer(1, Completion::Held, Ok(0));
        ring.wait(None).expect("there is an answer");
        let next = ring.next_event();
        assert!(matches!(next, Some(Event::Completed { slot: 1, .. })), "others are not behind it: {next:?}");
        steps
    };
    assert_eq!([0, 1, 64, 256].map(steps), [32, 8, 32, 128]);
}

#[test]
fn streams_that_become_readable_together_share_a_turn() {
    let mut ring = ring();
    let mut peers = Vec::new();
    for slot in 0..20 {
        let (client, peer) = pair();
        ring.open(slot, client);
        ring.lines[slot as usize].line_mut(Direction::ToServer).flags.set(Flags::BULK);
        ring.fill(slot, Direction::ToServer);
        peers.push(peer);
    }
    ring.wait(Some(Duration::ZERO)).expect("there are splices to make");
    assert!(ring.next_event().is_none(), "all are silent");
    drop(peers);
    let mut turns = Vec::new();
    while turns.iter().sum::<usize>() < 20 {
        ring.wait(None).expect("all are readable");
        ring.messages = 1;
        turns.push(std::iter::from_fn(|| ring.next_event()).count());
    }
    assert_eq!(turns, [8, 8, 4]);
}

/// The entry points to the address: it must still be there when the entry is handed over, with the next ones or alone.
#[test]
fn a_connect_that_finds_the_queue_full_keeps_its_address() {
    let mut ring = ring();
    let (client, _peer) = pair();
    ring.open(0, client);
    let idle = || io_uring::opcode::Nop::new().build().user_data(Token::plain(Kind::Cancel, 0).pack());
    (0..super::SQ_ENTRIES).for_each(|_| ring.push(idle()));
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 9)).into();
    ring.connect(0, Ok(Route { address, source: None, keepalive: None, buffers: Buffers::default() }));
    assert_eq!((ring.uring.submission().len(), ring.addresses.len()), (1, 1));
    ring.wait(Some(Duration::ZERO)).expect("it is handed over");
    assert!(ring.addresses.is_empty());
}

#[test]
fn what_brings_a_message_is_counted_and_what_takes_one_away_is_not() {
    let mut ring = ring();
    let ((client, mut source), (server, _sink)) = (pair(), pair());
    ring.open(0, client);
    ring.lines[0].put(Side::Server, server);
    source.write_all(b"query").expect("the source speaks");
    submit(&mut ring, Op::Fill(Direction::ToServer));
    assert_eq!(answer(&mut ring, Completion::Filled(Direction::ToServer)), Ok(5));
    assert_eq!(ring.messages, 1);
    // Beside something else it is submitted.
    ring.batch.push((Token::plain(Kind::Cancel, 0).pack(), 0, 0));
    submit(&mut ring, Op::Drain(Direction::ToServer, 5));
    assert_eq!(ring.uring.submission().len(), 1);
    assert_eq!(answer(&mut ring, Completion::Drained(Direction::ToServer)), Ok(5));
    assert_eq!(ring.messages, 0);
}

/// A ring that was woken up by `query` alone and is to send it.
fn woken_by_a_query(server: OwnedFd) -> Ring {
    let mut ring = ring();
    let (client, mut source) = pair();
    ring.open(0, client);
    ring.lines[0].put(Side::Server, server);
    source.write_all(b"query").expect("the source speaks");
    submit(&mut ring, Op::Fill(Direction::ToServer));
    assert_eq!(answer(&mut ring, Completion::Filled(Direction::ToServer)), Ok(5));
    submit(&mut ring, Op::Drain(Direction::ToServer, 5));
    ring
}

#[test]
fn a_message_that_came_alone_is_sent_without_a_submission() {
    let (server, mut sink) = pair();
    let mut ring = woken_by_a_query(server);
    assert!(ring.uring.submission().is_empty());
    let mut said = [0; 5];
    sink.read_exact(&mut said).expect("it was sent");
    assert_eq!(&said, b"query");
    assert_eq!(answer(&mut ring, Completion::Drained(Direction::ToServer)), Ok(5));
}

#[test]
fn what_a_sink_does_not_take_at_once_is_submitted() {
    let (server, mut sink) = pair();
    let mut before = 0;
    while let Ok(taken) = crate::sys::socket::send_now(server.as_fd(), &[0; 1000]) {
        before += taken;
    }
    let mut ring = woken_by_a_query(server);
    assert_eq!(ring.uring.submission().len(), 1);
    let reader = std::thread::spawn(move || {
        let mut said = vec![0; before + 5];
        sink.read_exact(&mut said).expect("everything comes");
        said.split_off(before)
    });
    assert_eq!(answer(&mut ring, Completion::Drained(Direction::ToServer)), Ok(5));
    assert_eq!(reader.join().expect("it reads"), b"query");
}

#[test]
fn a_sink_that_is_gone_is_told_at_once() {
    let (server, sink) = pair();
    drop(sink);
    let mut ring = woken_by_a_query(server);
    assert!(ring.uring.submission().is_empty());
    assert_eq!(answer(&mut ring, Completion::Drained(Direction::ToServer)), Err(Errno::EPIPE));
}

#[test]
fn a_splice_that_waits_for_its_turn_ends_with_its_session() {
    let mut ring = ring();
    let completion = Completion::Filled(Direction::ToServer);
    for slot in [1, 0] {
        in_bulk(&mut ring, slot);
        ring.fill(slot, Direction::ToServer);
    }
    submit(&mut ring, Op::Abort(Side::Client));
    ring.wait(None).expect("there are answers");
    let told: Vec<(u32, Completion, Outcome)> = std::iter::from_fn(|| match ring.next_event()? {
        Event::Completed { slot, completion, outcome } => Some((slot, completion, outcome)),
        other => panic!("{other:?}"),
    })
    .collect();
    let aborted = (0, Completion::Aborted(Side::Client), Ok(0));
    assert_eq!(told, [(0, completion, Err(Errno::ECANCELED)), aborted, (1, completion, Ok(0))]);
}

#[test]
fn nothing_is_taken_for_a_splice_once_its_direction_has_stopped() {
    let mut ring = ring();
    in_bulk(&mut ring, 0);
    submit(&mut ring, Op::Fill(Direction::ToServer));
    submit(&mut ring, Op::Stop(Direction::ToServer));
    assert_eq!(answer(&mut ring, Completion::Filled(Direction::ToServer)), Err(Errno::ECANCELED));
}

#[test]
fn a_wait_does_not_sleep_over_an_answer_that_was_taken_before() {
    let mut ring = ring();
    ring.batch.push((Token::plain(Kind::Wake, 0).pack(), 0, 0));
    let before = sleeps();
    ring.wait(Some(Duration::from_millis(20))).expect("the ring waits");
    assert!(matches!(ring.next_event(), Some(Event::Woken)));
    assert_eq!(sleeps(), before);
}
