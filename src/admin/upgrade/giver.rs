//! The old process's part: offers what may move, batch by batch.

use std::collections::BTreeMap;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::wire::{self, Fate, Kind, Named};
use super::{Foreman, Message, prepare, receive, send};
use crate::sys::passing::await_readable;
use crate::table::Snapshot;
use crate::worker::mailbox::{Batch, Command, Moving, STEP, Staying};

/// The pause before it is looked again whether more can move, and the longest: it doubles while nothing does.
const SOON: Duration = Duration::from_millis(10);
const LATER: Duration = Duration::from_secs(1);
/// How long those stay settled whose names the successor lacks: a reload or a command may add them there. Whoever is
/// offered stands still meanwhile, so it should be seldom.
const SETTLED: Duration = Duration::from_secs(60);

/// What became of the sessions that were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Gone to the successor.
    pub moved: usize,
    /// Not taken by it for now: it has no room.
    pub refused: usize,
    /// Not to be moved for now.
    pub staying: Staying,
    /// Some worker hands others over already.
    pub busy: bool,
}

/// Sessions that the successor cannot have for want of a name, by worker and slot: their slots' generations.
type Settled = BTreeMap<(usize, u32), u16>;

/// Offers all sessions, then again what could not move, until the workers end or the successor does. Blocks.
///
/// # Errors
/// What the connection says. Every session that was not taken goes on here.
pub fn give(stream: &UnixStream, foreman: &Foreman, table: &ArcSwap<Snapshot>) -> io::Result<()> {
    prepare(stream)?;
    let (mut settled, mut since) = (Settled::new(), Instant::now());
    let mut sweep = || {
        if since.elapsed() > SETTLED {
            settled.clear();
            since = Instant::now();
        }
        sweep(stream, foreman, table, &mut settled)
    };
    let Some(mut sums) = sweep()? else { return Ok(()) };
    tell(sums);
    send(stream, Kind::End, &(sums.left() as u32).to_le_bytes(), &[])?;
    let mut pause = SOON;
    // The successor says nothing unasked: what can be read is its end.
    while await_readable(stream, pause).is_err() {
        let Some(next) = sweep()? else { break };
        if next.moved > 0 || (next.refused, next.staying) != (sums.refused, sums.staying) {
            tell(next);
        }
        pause = if next.moved > 0 { SOON } else { LATER.min(pause * 2) };
        sums = next;
    }
    Ok(())
}

fn tell(Sums { moved, refused, staying, busy }: Sums) {
    let Staying { connecting, inspected, ending, settled } = staying;
    tracing::info!(moved, refused, connecting, inspected, ending, settled, busy, "sessions were offered");
}

impl Sums {
    /// Sessions that are here yet.
    fn left(&self) -> usize {
        self.refused + self.staying.all() as usize
    }

    /// Takes in the answer to a batch: the slots of those that it does not say are taken.
    fn count(&mut self, worker: usize, batch: &Batch, answer: &[u8], settled: &mut Settled) -> Vec<u32> {
        let mut back = Vec::new();
        for (at, moving) in batch.sessions.iter().enumerate() {
            match Fate::of(answer.get(at)) {
                Fate::Taken => {
                    self.moved += 1;
                    continue;
                }
                Fate::Refused => self.refused += 1,
                Fate::Nameless => {
                    self.staying.settled += 1;
                    settled.insert((worker, moving.from), moving.generation);
                }
            }
            back.push(moving.from);
        }
        back
    }
}

/// One look at all workers; None: they have ended.
fn sweep(
    stream: &UnixStream,
    foreman: &Foreman,
    table: &ArcSwap<Snapshot>,
    settled: &mut Settled,
) -> io::Result<Option<Sums>> {
    let (mut sums, mut alive) = (Sums::default(), false);
    for worker in 0..foreman.workers() {
        let mut next = Some(Batch::new());
        while let Some(mut batch) = next.take() {
            let ahead = settled.range((worker, batch.from)..(worker, batch.from.saturating_add(STEP)));
            batch.settled.extend(ahead.map(|(&(_, slot), &generation)| (slot, generation)));
            let Some(Command::Release(batch)) = foreman.order(worker, Command::Release(batch)) else { break };
            alive = true;
            sums.staying += batch.staying;
            if batch.sessions.is_empty() && batch.next == Some(batch.from) {
                sums.busy = true;
                break;
            }
            if !batch.sessions.is_empty() {
                let offered = offer(stream, &batch, &table.load());
                let back = sums.count(worker, &batch, offered.as_deref().unwrap_or(&[]), settled);
                foreman.order(worker, Command::Carry(back));
                offered?;
            }
            next = batch.onwards();
        }
    }
    Ok(alive.then_some(sums))
}

/// Sends a batch and awaits its answer.
fn offer(stream: &UnixStream, batch: &Batch, snapshot: &Snapshot) -> io::Result<Vec<u8>> {
    let mut body = (batch.sessions.len() as u32).to_le_bytes().to_vec();
    let mut descriptors = Vec::new();
    for moving in &batch.sessions {
        named(moving, snapshot).write(&moving.cargo, &mut body);
        descriptors.extend(wire::descriptors(&moving.cargo).map(AsFd::as_fd));
    }
    body.extend_from_slice(&batch.bytes);
    let answer = send(stream, Kind::Batch, &body, &descriptors).and_then(|()| receive(stream));
    let last_chance = |_| {
        // From here on no answer can come any more; one that has come is valid.
        stream.shutdown(Shutdown::Read)?;
        receive(stream)
    };
    match answer.or_else(last_chance)? {
        Some(Message { kind: Kind::Answer, body, .. }) if body.len() == batch.sessions.len() => Ok(body),
        Some(_) => Err(wire::Malformed("an answer to something else").into()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn named(moving: &Moving, snapshot: &Snapshot) -> Named {
    let config = &snapshot.config;
    let name = |id: crate::config::model::ProxyId| config.proxies[usize::from(id.0)].name.clone();
    let server = moving.server.map(|id| snapshot.server(id).1);
    Named {
        parcel: moving.parcel,
        frontend: name(moving.frontend),
        bind: format!("{:?}", config.binds[usize::from(moving.bind.0)].address),
        backend: moving.backend.map_or_else(String::new, name),
        server: server.map_or_else(String::new, |server| server.name.to_string()),
        server_address: server.map_or_else(String::new, |server| format!("{:?}", server.address)),
        client: moving.client,
        local: moving.local,
        age_ms: moving.age_ms,
        queue_ms: moving.queue_ms,
        connect_ms: moving.connect_ms,
        idle_ms: moving.idle_ms,
        phase_ms: moving.phase_ms,
        bytes: moving.bytes,
        queue_place: moving.queue_place,
    }
}
