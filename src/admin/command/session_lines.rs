//! Live sessions in HAProxy's words (management manual, section 9.3, `show sess`). What belongs to its
//! scheduler, its analysers and its buffers is 0 here, and pointers to them are `(nil)`.

use std::fmt::Write;

use crate::config::model::{Mode, Proxy, ServerAddress};
use crate::log::date_us;
use crate::session::Phase;
use crate::stats::Sources;
use crate::table::ServerEntry;
use crate::worker::mailbox::SessionRow;

/// The names of a row's parts.
struct Named<'a> {
    row: &'a SessionRow,
    frontend: &'a Proxy,
    backend: Option<&'a Proxy>,
    age: String,
    exp: String,
}

impl Named<'_> {
    fn new<'a>(row: &'a SessionRow, sources: &'a Sources) -> Named<'a> {
        let proxy = |id: crate::config::model::ProxyId| &sources.config.proxies[usize::from(id.0)];
        let frontend = proxy(row.frontend);
        let own = frontend.kind.is_backend().then_some(frontend);
        Named {
            row,
            frontend,
            backend: row.backend.map(proxy).or(own),
            age: human(sources.now_ms().saturating_sub_signed(row.accepted_ms)),
            exp: row.expires_ms.map_or_else(String::new, |ms| human(ms.into())),
        }
    }

    fn protocol(&self) -> &'static str {
        match self.row.client {
            None => "unix_stream",
            Some(client) if client.is_ipv4() => "tcpv4",
            Some(_) => "tcpv6",
        }
    }

    fn source(&self) -> String {
        match self.row.client {
            None => format!("unix:{}", self.row.bind.0 + 1),
            Some(client) => format!("{}:{}", client.ip(), client.port()),
        }
    }

    /// State of the server's side: its number and its name.
    fn server_state(&self) -> (u8, &'static str) {
        match self.row.phase {
            Phase::Holding | Phase::Choosing => (0, "INI"),
            Phase::Queued => (2, "QUE"),
            Phase::TurnAround => (3, "TAR"),
            Phase::Connecting | Phase::Abandoning => (5, "CON"),
            Phase::Established | Phase::Parking | Phase::Halting | Phase::Parked => (8, "EST"),
            Phase::Ending => (9, "DIS"),
        }
    }

    /// Time left for what is to happen before the connection is made.
    fn connect_exp(&self) -> &str {
        let pending = matches!(self.row.phase, Phase::Queued | Phase::TurnAround | Phase::Connecting);
        if pending { &self.exp } else { "" }
    }
}

/// One line.
pub(super) fn on_one_line(row: &SessionRow, sources: &Sources) -> String {
    let named = Named::new(row, sources);
    let table = sources.table.load();
    let server = row.server.map(|id| &*table.server(id).1.name);
    let exp = &named.exp;
    let [client_fd, server_fd] = row.descriptors.map(|fd| fd.unwrap_or(-1));
    format!(
        "{}: proto={} src={} fe={} be={} srv={} ts=00 epoch=0 age={} calls=0 rate=0 cpu=0 lat=0 \
         rq[f=000000h,i=0,an=00h,ax=] rp[f=000000h,i=0,an=00h,ax=] \
         scf=[8,0h,fd={client_fd},rex={exp},wex=] scb=[{},0h,fd={server_fd},rex={exp},wex=] \
         exp={exp} rc={} c_exp={}\n",
        row.id,
        named.protocol(),
        named.source(),
        named.frontend.name,
        named.backend.map_or("<NONE>", |proxy| &proxy.name),
        server.unwrap_or("<none>"),
        named.age,
        named.server_state().0,
        row.retries,
        named.connect_exp(),
    )
}

/// The line of the connection that asks. No worker has it, and nothing but its end ends it.
pub(super) fn own() -> String {
    "0xffff000000000000: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1 \
     rate=0 cpu=0 lat=0 rq[f=000000h,i=0,an=00h,ax=] rp[f=000000h,i=0,an=00h,ax=] scf=[8,0h,fd=-1,rex=,wex=] \
     scb=[8,1h,fd=-1,rex=,wex=] exp= rc=0 c_exp=\n"
        .to_owned()
}

/// Everything, in several lines.
pub(super) fn in_full(row: &SessionRow, sources: &Sources) -> String {
    let mut out = String::new();
    // Formatting into a String cannot fail.
    let _ = write_in_full(&mut out, &Named::new(row, sources), sources);
    out
}

fn write_in_full(out: &mut String, named: &Named<'_>, sources: &Sources) -> std::fmt::Result {
    let row = named.row;
    let never = |exp: &str| if exp.is_empty() { "<NEVER>".to_owned() } else { exp.to_owned() };
    let (exp, connect_exp) = (never(&named.exp), never(named.connect_exp()));
    let begun = sources.started_at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let accepted_us =
        u64::try_from(begun.as_micros()).unwrap_or(u64::MAX).saturating_add_signed(row.accepted_ms * 1000);
    writeln!(
        out,
        "{}: [{}] id={} proto={} source={}",
        row.id,
        date_us(accepted_us),
        row.id.bits(),
        named.protocol(),
        named.source()
    )?;
    writeln!(
        out,
        "  flags=0x0, conn_retries={}, conn_exp={connect_exp} conn_et=0x000 srv_conn=(nil), pend_pos=(nil) waiting={} epoch=0",
        row.retries,
        u8::from(row.phase == Phase::Queued),
    )?;
    write_places(out, named, sources)?;
    writeln!(
        out,
        "  task=(nil) (state=0x00 nice=0 calls=0 rate=0 exp={exp} worker={} age={} idle={})",
        u32::from(row.id.worker) + 1,
        named.age,
        human(row.idle_ms.into()),
    )?;
    let [client_fd, server_fd] = row.descriptors.map(|fd| fd.unwrap_or(-1));
    writeln!(out, "  scf=(nil) flags=0x00000000 state=EST fd={client_fd}")?;
    writeln!(out, "  scb=(nil) flags=0x00000000 state={} fd={server_fd}", named.server_state().1)?;
    for (name, total) in ["req", "res"].into_iter().zip(row.bytes) {
        writeln!(out, "  {name}=(nil) (f=0x000000 an=0x0 pipe=0 tofwd=-1 total={total})")?;
        writeln!(out, "      an_exp=<NEVER> rex={exp} wex=<NEVER>")?;
    }
    Ok(())
}

/// Frontend, backend and server, with their numbers and addresses.
fn write_places(out: &mut String, named: &Named<'_>, sources: &Sources) -> std::fmt::Result {
    let row = named.row;
    let mode = |proxy: &Proxy| if proxy.mode == Mode::Tcp { "tcp" } else { "http" };
    let frontend = named.frontend;
    let bind = &sources.config.binds[usize::from(row.bind.0)];
    let address =
        row.local.map_or_else(|| "unix".to_owned(), |local| format!("{}:{}", local.ip(), local.port()));
    writeln!(
        out,
        "  frontend={} (id={} mode={}), listener={} (id={}) addr={address}",
        frontend.name,
        frontend.id,
        mode(frontend),
        bind.name.as_deref().unwrap_or("?"),
        bind.id,
    )?;
    match named.backend {
        Some(backend) => {
            writeln!(out, "  backend={} (id={} mode={})", backend.name, backend.id, mode(backend))?
        }
        None => writeln!(out, "  backend=<NONE> (id=-1 mode=-)")?,
    }
    let table = sources.table.load();
    match row.server.map(|id| table.server(id).1) {
        Some(ServerEntry { name, number, address, .. }) => {
            writeln!(out, "  server={name} (id={number}) addr={}", shown(address))
        }
        None => writeln!(out, "  server=<none> (id=0)"),
    }
}

fn shown(address: &ServerAddress) -> String {
    match address {
        ServerAddress::Tcp(address) => format!("{}:{}", address.ip(), address.port()),
        ServerAddress::TcpMapped(ip, offset) => format!("{ip}:{offset:+}"),
        ServerAddress::Unix(_) | ServerAddress::Abstract(_) => "unix".to_owned(),
    }
}

/// HAProxy's way to show a duration: its two greatest units.
fn human(ms: u64) -> String {
    let seconds = ms / 1000;
    let units =
        [("d", seconds / 86_400), ("h", seconds / 3600 % 24), ("m", seconds / 60 % 60), ("s", seconds % 60)];
    let first = units.iter().position(|(_, count)| *count > 0).unwrap_or(3);
    let shown =
        units[first..].iter().filter(|(unit, count)| *count > 0 || (first == 3 && *unit == "s")).take(2);
    shown.map(|(unit, count)| format!("{count}{unit}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::shared;
    use crate::config::model::{BindId, ProxyId};
    use crate::session::op::ServerId;
    use crate::worker::mailbox::SessionId;

    fn row() -> SessionRow {
        SessionRow {
            id: SessionId { worker: 0, generation: 7, slot: 3 },
            client: Some(([127, 0, 0, 1], 5000).into()),
            local: Some(([127, 0, 0, 1], 21050).into()),
            frontend: ProxyId(0),
            bind: BindId(0),
            backend: Some(ProxyId(1)),
            server: Some(ServerId(1)),
            phase: Phase::Established,
            accepted_ms: 0,
            idle_ms: 10,
            expires_ms: Some(58_999),
            bytes: [5, 11],
            retries: 2,
            descriptors: [Some(14), Some(15)],
        }
    }

    #[test]
    fn a_session_is_one_line_of_haproxys() {
        let shared = shared();
        assert_eq!(
            on_one_line(&row(), &shared.borrow()),
            "0x1000700000003: proto=tcpv4 src=127.0.0.1:5000 fe=fe be=be srv=s2 ts=00 epoch=0 age=0s calls=0 \
             rate=0 cpu=0 lat=0 rq[f=000000h,i=0,an=00h,ax=] rp[f=000000h,i=0,an=00h,ax=] \
             scf=[8,0h,fd=14,rex=58s,wex=] scb=[8,0h,fd=15,rex=58s,wex=] exp=58s rc=2 c_exp=\n"
        );
        let queued = SessionRow {
            phase: Phase::Queued,
            server: None,
            client: Some("[::1]:9".parse().expect("an address")),
            descriptors: [Some(14), None],
            ..row()
        };
        let line = on_one_line(&queued, &shared.borrow());
        assert!(line.contains("proto=tcpv6 src=::1:9 fe=fe be=be srv=<none> "), "{line}");
        assert!(line.contains(" scb=[2,0h,fd=-1,") && line.ends_with(" rc=2 c_exp=58s\n"), "{line}");
        let begun = SessionRow { phase: Phase::Holding, backend: None, server: None, client: None, ..row() };
        let line = on_one_line(&begun, &shared.borrow());
        assert!(line.contains("proto=unix_stream src=unix:1 fe=fe be=<NONE> srv=<none> "), "{line}");
    }

    #[test]
    fn all_is_known_of_one_session() {
        let shared = shared();
        let text = in_full(&row(), &shared.borrow());
        for part in [
            "0x1000700000003: [",
            "] id=281505041481731 proto=tcpv4 source=127.0.0.1:5000\n",
            "  flags=0x0, conn_retries=2, conn_exp=<NEVER> ",
            "  frontend=fe (id=2 mode=tcp), listener=? (id=1) addr=127.0.0.1:21050\n",
            "  backend=be (id=3 mode=tcp)\n",
            "  server=s2 (id=2) addr=127.0.0.1:21002\n",
            " exp=58s worker=1 age=0s idle=0s)\n",
            "  scb=(nil) flags=0x00000000 state=EST fd=15\n",
            "  res=(nil) (f=0x000000 an=0x0 pipe=0 tofwd=-1 total=11)\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }

    #[test]
    fn durations_show_their_two_greatest_units() {
        let shown = [0, 999, 59_000, 60_000, 3_725_000, 86_400_000, 90_061_000, 86_700_000].map(human);
        assert_eq!(shown, ["0s", "0s", "59s", "1m", "1h2m", "1d", "1d1h", "1d5m"]);
    }
}
