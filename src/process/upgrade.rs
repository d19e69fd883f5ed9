//! Live upgrade, the new process's part: takes over the old one's sessions (see [`crate::admin::upgrade`]).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;

use arc_swap::ArcSwap;

use crate::admin::upgrade::wire::{self, Fate, Kind, Malformed, Named, Reader};
use crate::admin::upgrade::{COMMAND, Foreman, Message, prepare, receive, send};
use crate::config::model::{BindId, Proxy, ProxyId};
use crate::ring::cargo::Cargo;
use crate::session::op::ServerId;
use crate::table::Snapshot;
use crate::worker::mailbox::{Batch, Command, Moving};

/// How many sessions came, and how many were left where they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// They go on here.
    pub taken: usize,
    /// They stay with the old process.
    pub left: usize,
}

/// Sessions that have no place here, by the names of frontend, backend and server.
#[derive(Debug, Default)]
struct Strangers {
    /// Everything that could move at once was offered: from now on each is told when it comes.
    all_came: bool,
    /// How many there are, and whether they were told. A name is told once: who stays there may be offered often.
    counts: BTreeMap<[String; 3], (usize, bool)>,
}

impl Strangers {
    fn add(&mut self, named: Named) {
        self.counts.entry([named.frontend, named.backend, named.server]).or_default().0 += 1;
    }

    fn tell(&mut self) {
        let untold = self.counts.iter_mut().filter(|(_, (_, told))| !told);
        for ([frontend, backend, server], (sessions, told)) in untold {
            *told = true;
            tracing::warn!(
                "{sessions} sessions of {frontend} at '{backend}/{server}' stay with the old process: this \
                 configuration lacks one of these names"
            );
        }
    }
}

/// Takes what the old process offers until it ends. `offered` is called when everything that could move at once
/// has. Blocks.
///
/// # Errors
/// What the connection says. Whoever was not taken goes on in the old process.
pub fn take(
    mut stream: &UnixStream,
    foreman: &Foreman,
    table: &ArcSwap<Snapshot>,
    mut offered: impl FnMut(Taken),
) -> io::Result<Taken> {
    prepare(stream)?;
    stream.write_all(format!("{COMMAND}\n").as_bytes())?;
    let (mut sums, mut strangers) = (Taken::default(), Strangers::default());
    let mut worker = 0;
    while let Some(message) = receive(stream)? {
        match message.kind {
            Kind::Batch => {
                let (taken, left) =
                    take_batch(stream, foreman, worker, &table.load(), message, &mut strangers)?;
                (sums.taken, sums.left) = (sums.taken + taken, sums.left + left);
                worker = (worker + 1) % foreman.workers();
            }
            Kind::End => {
                strangers.all_came = true;
                strangers.tell();
                offered(sums);
                stream.set_read_timeout(None)?;
            }
            Kind::Answer => return Err(Malformed("an answer to nothing").into()),
        }
    }
    Ok(sums)
}

fn take_batch(
    stream: &UnixStream,
    foreman: &Foreman,
    worker: usize,
    snapshot: &Snapshot,
    message: Message,
    strangers: &mut Strangers,
) -> io::Result<(usize, usize)> {
    let (mut answer, batch) = read_batch(snapshot, message, strangers)?;
    if strangers.all_came {
        strangers.tell();
    }
    let Some(Command::Adopt(batch)) = foreman.order(worker, Command::Adopt(batch)) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let mut slots = Vec::with_capacity(batch.sessions.len());
    for moving in &batch.sessions {
        if let Some(slot) = moving.to {
            answer[moving.from as usize] = Fate::Taken as u8;
            slots.push(slot);
        }
    }
    let (count, taken) = (answer.len(), slots.len());
    let told = send(stream, Kind::Answer, &answer, &[]);
    // An answer that was not sent was not given: the old process carries on.
    let own = if told.is_ok() { slots } else { Vec::new() };
    foreman.order(worker, Command::Carry(own));
    told?;
    Ok((taken, count - taken))
}

/// The sessions of a message that have a place here, each with its number there, and the answer as long as none of
/// them is taken.
fn read_batch(
    snapshot: &Snapshot,
    message: Message,
    strangers: &mut Strangers,
) -> io::Result<(Vec<u8>, Batch)> {
    let mut from = Reader(&message.body);
    let mut descriptors = message.descriptors.into_iter();
    let count = from.u32()? as usize;
    if count > message.body.len() {
        return Err(Malformed("more sessions than bytes").into());
    }
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(wire::read_session(&mut from, &mut descriptors)?);
    }
    let mut rest = from.0;
    let mut batch = Batch::new();
    let mut answer = vec![Fate::Refused as u8; count];
    for (number, (named, cargo)) in (0..).zip(all) {
        let own = rest.split_at_checked(cargo.queued()).ok_or(Malformed("received bytes are missing"))?;
        rest = own.1;
        match place(snapshot, number, &named, cargo) {
            Some(moving) => {
                batch.bytes.extend_from_slice(own.0);
                batch.sessions.push(moving);
            }
            None => {
                answer[number as usize] = Fate::Nameless as u8;
                strangers.add(named);
            }
        }
    }
    Ok((answer, batch))
}

/// The session with this configuration's numbers; None: it names what is not there.
fn place(snapshot: &Snapshot, number: u32, named: &Named, cargo: Cargo) -> Option<Moving> {
    let config = &snapshot.config;
    // A backend may have the name of a frontend, and stand before it.
    let accepts = |proxy: &Proxy| proxy.kind.is_frontend() && proxy.name == named.frontend;
    let (frontend, _) = config.proxies().find(|(_, proxy)| accepts(proxy))?;
    let backend = if named.backend.is_empty() { None } else { Some(backend(snapshot, &named.backend)?) };
    let server = match (named.server.is_empty(), backend) {
        (true, _) => None,
        (false, Some(backend)) => Some(server(snapshot, backend, named)?),
        (false, None) => return None,
    };
    Some(Moving {
        from: number,
        generation: 0,
        to: None,
        parcel: named.parcel,
        frontend,
        bind: bind(snapshot, frontend, &named.bind)?,
        backend,
        server,
        client: named.client,
        local: named.local,
        age_ms: named.age_ms,
        queue_ms: named.queue_ms,
        connect_ms: named.connect_ms,
        idle_ms: named.idle_ms,
        phase_ms: named.phase_ms,
        bytes: named.bytes,
        queue_place: named.queue_place,
        cargo,
    })
}

fn backend(snapshot: &Snapshot, name: &str) -> Option<ProxyId> {
    let named = |proxy: ProxyId| snapshot.config.proxies[usize::from(proxy.0)].name == name;
    snapshot.backends().map(|backend| backend.proxy).find(|&proxy| named(proxy))
}

/// The server of that name, else the one at that address.
fn server(snapshot: &Snapshot, backend: ProxyId, named: &Named) -> Option<ServerId> {
    let servers = &snapshot.backend(backend).servers;
    let same_name = servers.iter().find(|server| *server.name == *named.server);
    let same_place = || servers.iter().find(|server| format!("{:?}", server.address) == named.server_address);
    same_name.or_else(same_place).map(|server| server.id)
}

/// The frontend's bind of that address, else its first.
fn bind(snapshot: &Snapshot, frontend: ProxyId, address: &str) -> Option<BindId> {
    let own = || snapshot.config.binds().filter(|(_, bind)| bind.proxy == frontend);
    let same = own().find(|(_, bind)| format!("{:?}", bind.address) == address);
    same.or_else(|| own().next()).map(|(id, _)| id)
}
