//! The session machine alone: one request and its answer, and a whole short session, as calls and values.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

use pronk::session::op::{Completion, Direction, Op, ServerId, Submit};
use pronk::session::policy::Policy;
use pronk::session::{Session, Verdict};

/// Counts operations instead of carrying them out.
struct Count(u32);

impl Submit for Count {
    fn submit(&mut self, op: Op) {
        black_box(op);
        self.0 += 1;
    }
}

fn established(policy: &Policy, ops: &mut Count) -> Session {
    let mut session = Session::new(policy);
    session.start(policy, ops);
    session.assigned(ServerId(0), ops);
    session.on_completion(Completion::Connected, Ok(0), policy, ops);
    session
}

fn round_trip(session: &mut Session, policy: &Policy, ops: &mut Count) {
    for direction in Direction::BOTH {
        session.on_completion(Completion::Filled(direction), Ok(200), policy, ops);
        session.on_completion(Completion::Drained(direction), Ok(200), policy, ops);
    }
}

fn close(session: &mut Session, policy: &Policy, ops: &mut Count) -> Verdict {
    session.on_completion(Completion::Filled(Direction::ToServer), Ok(0), policy, ops);
    session.on_completion(Completion::ShutDown(Direction::ToServer), Ok(0), policy, ops);
    session.on_completion(Completion::Filled(Direction::ToClient), Ok(0), policy, ops)
}

fn sessions(c: &mut Criterion) {
    let policy = Policy { retries: 3, ..Policy::default() };
    let mut ops = Count(0);
    let mut session = established(&policy, &mut ops);
    c.bench_function("session/round trip", |b| b.iter(|| round_trip(&mut session, &policy, &mut ops)));
    c.bench_function("session/whole life", |b| {
        b.iter(|| {
            let mut session = established(&policy, &mut ops);
            round_trip(&mut session, &policy, &mut ops);
            assert!(matches!(close(&mut session, &policy, &mut ops), Verdict::Ended(_)));
        });
    });
    black_box(ops.0);
}

criterion_group!(benches, sessions);
criterion_main!(benches);
