//! The file that counters begin with (`stats-file`), and its making (`dump stats-file`); management guide,
//! section 9.4.
//!
//! ```text
//! #fe guid,stot,bin,…      columns of frontends and listeners
//! GUID,1024,77000,…        one object a line; what has no guid is left out
//! #be guid,stot,bin,…      of backends and servers
//! ```
//! Columns are found by their names: a file of HAProxy's, which has others too, is read as well.

use std::fmt::Write;

use crate::config::guid;
use crate::config::model::{BindId, ProxyId};
use crate::table::{ServerEntry, Snapshot};

use super::counters::{BackendCounters, Counter, FrontendCounters, WorkerCounters};
use super::sources::Sources;

/// Which half of the file an object is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Front,
    Back,
}

/// A column, and the counter that it holds.
type Column<C> = (&'static str, fn(&C) -> &Counter);

/// What is kept of one frontend or listener.
const FRONT: &[Column<FrontendCounters>] = &[
    ("stot", |c| &c.sessions),
    ("bin", |c| &c.bytes_in),
    ("bout", |c| &c.bytes_out),
    ("dreq", |c| &c.denied_requests),
    ("ereq", |c| &c.request_errors),
    ("conn_tot", |c| &c.connections),
    ("dcon", |c| &c.denied_connections),
];

/// What is kept of one backend or server.
const BACK: &[Column<BackendCounters>] = &[
    ("stot", |c| &c.sessions),
    ("bin", |c| &c.bytes_in),
    ("bout", |c| &c.bytes_out),
    ("econ", |c| &c.connect_errors),
    ("eresp", |c| &c.response_errors),
    ("wretr", |c| &c.retries),
    ("wredis", |c| &c.redispatches),
    ("lbtot", |c| &c.balanced),
    ("cli_abrt", |c| &c.client_aborts),
    ("srv_abrt", |c| &c.server_aborts),
    ("connect", |c| &c.connects),
];

/// Of backends and servers too, but no counters of workers.
const AGE: &str = "lastsess";
const FAILS: &str = "chkfail";
const DOWNS: &str = "chkdown";

/// One object's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    side: Side,
    guid: String,
    values: Vec<(String, u64)>,
}

/// What cannot be used of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is no such file.
    Format,
    /// The header on this line.
    Header(usize),
    /// This line.
    Line(usize),
}

/// Reads the text of a file. What cannot be used is left out and told.
pub fn read(text: &str) -> (Vec<Kept>, Vec<Fault>) {
    let (mut kept, mut faults) = (Vec::new(), Vec::new());
    let mut section: Option<(Side, Vec<&str>)> = None;
    let mut begun = false;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        match (line.strip_prefix('#'), &section) {
            (Some(header), _) => match columns(header) {
                Ok(columns) => section = columns,
                Err(()) if begun => {
                    section = None;
                    faults.push(Fault::Header(number));
                }
                Err(()) => return (Vec::new(), vec![Fault::Format]),
            },
            (None, Some((side, columns))) => match object(*side, columns, line) {
                Some(object) => kept.push(object),
                None => faults.push(Fault::Line(number)),
            },
            (None, None) if !begun => return (Vec::new(), vec![Fault::Format]),
            (None, None) => {}
        }
        begun = true;
    }
    (kept, faults)
}

/// `fe guid,NAME,…,`; None: a section of another kind, whose lines are not meant for us.
fn columns(header: &str) -> Result<Option<(Side, Vec<&str>)>, ()> {
    let (kind, names) = header.split_once(' ').filter(|(kind, _)| !kind.is_empty()).ok_or(())?;
    let names = names.strip_suffix(',').ok_or(())?;
    let side = match kind {
        "fe" => Side::Front,
        "be" => Side::Back,
        _ => return Ok(None),
    };
    let mut names = names.split(',');
    if names.next() != Some("guid") {
        return Err(());
    }
    Ok(Some((side, names.collect())))
}

/// Values that are no numbers are left out.
fn object(side: Side, columns: &[&str], line: &str) -> Option<Kept> {
    let mut values = line.split(',');
    let guid = values.next().filter(|guid| guid::fault(guid).is_none())?.to_owned();
    let number = |(column, value): (&&str, &str)| Some(((*column).to_owned(), value.parse().ok()?));
    Some(Kept { side, guid, values: columns.iter().zip(values).filter_map(number).collect() })
}

/// What has a guid.
#[derive(Clone, Copy, Debug)]
enum Object<'a> {
    Frontend(ProxyId),
    Listener(BindId),
    Backend(ProxyId),
    Server(&'a ServerEntry),
}

impl Object<'_> {
    fn front<'w>(&self, worker: &'w WorkerCounters) -> Option<&'w FrontendCounters> {
        match self {
            Object::Frontend(id) => Some(worker.frontend(*id)),
            Object::Listener(id) => Some(worker.bind(*id)),
            Object::Backend(_) | Object::Server(_) => None,
        }
    }

    fn back<'w>(&self, worker: &'w WorkerCounters) -> Option<&'w BackendCounters> {
        match self {
            Object::Backend(id) => Some(worker.backend(*id)),
            Object::Server(entry) => Some(worker.server(entry.id)),
            Object::Frontend(_) | Object::Listener(_) => None,
        }
    }
}

/// Every object with a guid, in the order of the configuration: frontends and listeners, or backends and servers.
fn objects(table: &Snapshot, side: Side) -> Vec<(&str, Object<'_>)> {
    let config = &table.config;
    let mut objects = Vec::new();
    for (id, proxy) in config.proxies().filter(|(_, proxy)| !proxy.disabled) {
        let own = proxy.guid.as_deref();
        if side == Side::Front && proxy.kind.is_frontend() {
            objects.extend(own.map(|guid| (guid, Object::Frontend(id))));
            let binds = proxy.binds.iter().filter(|_| proxy.options.socket_stats);
            let guid = |id: BindId| config.binds[usize::from(id.0)].guid.as_deref();
            objects.extend(binds.filter_map(|&id| Some((guid(id)?, Object::Listener(id)))));
        }
        if side == Side::Back && proxy.kind.is_backend() {
            let servers = proxy.servers.iter().zip(&table.backend(id).servers);
            objects
                .extend(servers.filter_map(|(s, entry)| Some((s.guid.as_deref()?, Object::Server(entry)))));
            objects.extend(own.map(|guid| (guid, Object::Backend(id))));
        }
    }
    objects
}

/// Lets counters that nobody counts in yet begin with what was kept, checks included; milliseconds before the
/// process began are negative.
pub fn begin(counters: &WorkerCounters, table: &Snapshot, kept: &[Kept]) {
    for side in [Side::Front, Side::Back] {
        for (guid, object) in objects(table, side) {
            let of_object = kept.iter().filter(|kept| kept.side == side && kept.guid == guid);
            for (column, value) in of_object.flat_map(|kept| &kept.values) {
                set(&object, counters, column, *value);
            }
        }
    }
}

fn set(object: &Object<'_>, counters: &WorkerCounters, column: &str, value: u64) {
    if let Some(front) = object.front(counters) {
        let found = FRONT.iter().find(|(name, _)| *name == column);
        found.into_iter().for_each(|(_, of)| of(front).begin(value));
    }
    if let Some(back) = object.back(counters) {
        let found = BACK.iter().find(|(name, _)| *name == column);
        found.into_iter().for_each(|(_, of)| of(back).begin(value));
        if column == AGE {
            back.session_ago(value);
        }
    }
}

/// Failed checks and changes to down that were kept of a server: backend, position, both.
pub fn checks(table: &Snapshot, kept: &[Kept]) -> Vec<(ProxyId, u16, u64, u64)> {
    let mut checks = Vec::new();
    for (id, proxy) in table.config.proxies().filter(|(_, proxy)| proxy.kind.is_backend() && !proxy.disabled)
    {
        for (at, server) in (0..).zip(&proxy.servers).take(table.backend(id).servers.len()) {
            let of_server = kept.iter().filter(|kept| kept.side == Side::Back);
            let of_server = of_server.filter(|kept| Some(&kept.guid) == server.guid.as_ref());
            for kept in of_server {
                let value =
                    |wanted| kept.values.iter().find(|(name, _)| name == wanted).map_or(0, |(_, v)| *v);
                checks.push((id, at, value(FAILS), value(DOWNS)));
            }
        }
    }
    checks
}

/// The text of a file with the counters as they are now.
pub fn dump(sources: &Sources) -> String {
    let table = sources.table.load_full();
    let mut out = String::new();
    header(&mut out, "fe", FRONT.iter().map(|(name, _)| *name));
    for (guid, object) in objects(&table, Side::Front) {
        line(&mut out, guid, FRONT.iter().map(|(_, of)| total(sources, |w| object.front(w).map(*of))));
    }
    header(&mut out, "be", BACK.iter().map(|(name, _)| *name).chain([AGE, FAILS, DOWNS]));
    for (guid, object) in objects(&table, Side::Back) {
        let totals = BACK.iter().map(|(_, of)| total(sources, |w| object.back(w).map(*of)));
        line(&mut out, guid, totals.chain(others(sources, &object)));
    }
    out
}

fn header<'a>(out: &mut String, kind: &str, names: impl Iterator<Item = &'a str>) {
    // Formatting into a String cannot fail.
    let _ = write!(out, "#{kind} guid,");
    names.for_each(|name| out.extend([name, ","]));
    out.push('\n');
}

fn line(out: &mut String, guid: &str, values: impl Iterator<Item = String>) {
    out.extend([guid, ","]);
    values.for_each(|value| out.extend([value.as_str(), ","]));
    out.push('\n');
}

fn total<'a>(sources: &'a Sources, of: impl Fn(&'a WorkerCounters) -> Option<&'a Counter>) -> String {
    sources.counters.iter().filter_map(|worker| of(worker)).map(Counter::value).sum::<u64>().to_string()
}

fn others(sources: &Sources, object: &Object<'_>) -> [String; 3] {
    let last = sources.counters.iter().filter_map(|worker| object.back(worker)?.last_session());
    let age_ms = |at| sources.now_ms().cast_signed().saturating_sub(at).max(0);
    let age = last.max().map_or(-1, |at| age_ms(at) / 1000);
    let (fails, downs) = match object {
        Object::Server(entry) => (entry.state.check.fails.to_string(), entry.state.check.downs.to_string()),
        _ => Default::default(),
    };
    [age.to_string(), fails, downs]
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn kept(side: Side, guid: &str, values: &[(&str, u64)]) -> Kept {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Kept { side, guid: guid.to_owned(), values }
    }

    #[test]
    fn a_file_is_read_by_the_names_of_its_columns() {
        let text = "#fe guid,stot,bin,\n\n// a remark\nfe,1024,7,\nfe,x,\n  li-0,5\n#other guid,x,\nfoo,0,\n\
                    #be guid,unknown,stot,\nbe,512,,\nsrv,512,1024,99,\n";
        let (all, faults) = read(text);
        let expected = [
            kept(Side::Front, "fe", &[("stot", 1024), ("bin", 7)]),
            kept(Side::Front, "fe", &[]),
            kept(Side::Front, "li-0", &[("stot", 5)]),
            kept(Side::Back, "be", &[("unknown", 512)]),
            kept(Side::Back, "srv", &[("unknown", 512), ("stot", 1024)]),
        ];
        assert_eq!((all, faults), (expected.to_vec(), Vec::new()));
    }

    #[test]
    fn what_cannot_be_used_is_told_by_its_line() {
        let faults = |text: &str| read(text).1;
        for text in ["hello\n", "#fe\n", "#fe guid,stot\n", "#fe stot,\n", "# guid,stot,\n"] {
            assert_eq!(faults(text), [Fault::Format], "{text}");
        }
        assert_eq!(faults(""), []);
        let text = "#fe guid,stot,\na b,1,\n#be stot,\nsrv,1,\n,1,\n";
        assert_eq!(faults(text), [Fault::Line(2), Fault::Header(3)]);
    }

    #[test]
    fn what_is_dumped_is_begun_with() {
        let config = || {
            let mut config = fixture::config();
            config.proxies[0].guid = Some("tl".to_owned());
            config.proxies[0].servers[1].guid = Some("tl.s2".to_owned());
            config.binds[1].guid = Some("tl.b-1".to_owned());
            config
        };
        let (before, _publisher) = fixture::sources_of(config());
        let id = ProxyId(0);
        for worker in &before.counters {
            worker.frontend(id).sessions.add(20);
            worker.bind(BindId(1)).bytes_in.add(3);
            worker.backend(id).retries.add(4);
            worker.backend(id).session_ago(60);
        }
        let text = dump(&before);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..3],
            [
                "#fe guid,stot,bin,bout,dreq,ereq,conn_tot,dcon,",
                "tl,40,0,0,0,0,0,0,",
                "tl.b-1,0,6,0,0,0,0,0,",
            ]
        );
        assert_eq!(lines[4], "tl.s2,0,0,0,0,0,0,0,0,0,0,0,-1,0,0,");
        assert_eq!(lines[5], "tl,0,0,0,0,0,8,0,0,0,0,0,60,,,");

        let (after, _publisher) = fixture::sources_of(config());
        let (kept, faults) = read(&text);
        assert_eq!(faults, []);
        begin(&after.counters[1], &after.table.load(), &kept);
        assert_eq!(dump(&after), text);
    }

    #[test]
    fn checks_are_found_by_the_servers_guid() {
        let mut config = fixture::config();
        config.proxies[0].servers[1].guid = Some("s2".to_owned());
        let (sources, _publisher) = fixture::sources_of(config);
        let (kept, _) = read("#be guid,chkfail,chkdown,\ns2,7,2,\ns3,1,1,\n#fe guid,chkfail,\ns2,9,\n");
        assert_eq!(checks(&sources.table.load(), &kept), [(ProxyId(0), 1, 7, 2)]);
    }
}
