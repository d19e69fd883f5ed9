//! A sample and its rates as lines of text.

use std::collections::BTreeMap;

use super::rates::Rates;
use super::sample::{Kind, Row, Sample};
use crate::impala::ports;

const COLUMNS: [&str; 11] =
    ["", "STATUS", "WGT", "QUEUE", "SESS", "MAX", "LIMIT", "/S", "IN/S", "OUT/S", "CHECK"];

/// The whole page, without colours.
pub(super) fn page(sample: &Sample, rates: &Rates) -> Vec<String> {
    let mut lines = process(sample);
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    for backend in sample.rows.iter().filter(|row| row.kind == Kind::Backend) {
        rows.push(cells(backend, backend.proxy.clone(), rates));
        let servers = sample.rows.iter().filter(|row| row.kind == Kind::Server && row.proxy == backend.proxy);
        rows.extend(servers.map(|server| cells(server, format!("  {}", server.name), rates)));
    }
    lines.push(String::new());
    lines.extend(aligned(&rows));
    let coordinators = coordinators(sample);
    if coordinators.len() > 1 {
        lines.push(String::new());
        lines.extend(aligned(&coordinators));
    }
    lines
}

fn process(sample: &Sample) -> Vec<String> {
    let title = format!(
        "{} {}  pid {}  up {}",
        sample.text("Name"),
        sample.text("Version"),
        sample.text("Pid"),
        age(sample.number("Uptime_sec"))
    );
    let load = format!(
        "connections {} of {}  sessions {}/s, most {}/s  out {}B/s",
        sample.number("CurrConns"),
        sample.number("Maxconn"),
        sample.number("SessRate"),
        sample.number("MaxSessRate"),
        amount(sample.number("BytesOutRate") as f64)
    );
    vec![title, load]
}

fn cells(row: &Row, label: String, rates: &Rates) -> [String; 11] {
    let rate = rates.of(row);
    let bytes = |bytes: Option<f64>| bytes.map_or_else(|| "-".to_owned(), amount);
    let took = row.check_took.filter(|_| !row.check.is_empty());
    let check = took.map_or_else(|| row.check.clone(), |took| format!("{} {took}ms", row.check));
    let since = row.since.map_or_else(String::new, |since| format!(" {}", age(since)));
    [
        label,
        format!("{}{since}", row.status),
        row.weight.to_string(),
        row.queue.to_string(),
        row.sessions.to_string(),
        row.most.to_string(),
        row.limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string()),
        rate.map_or(row.rate as f64, |rate| rate.sessions).round().to_string(),
        bytes(rate.map(|rate| rate.bytes_in)),
        bytes(rate.map(|rate| rate.bytes_out)),
        check,
    ]
}

/// Sessions of one host by protocol: Beeswax, HiveServer2, HTTP, web page.
#[derive(Default)]
struct Coordinator {
    sessions: [u64; 4],
    queue: u64,
    errors: u64,
    up: u64,
    servers: u64,
}

/// Impala's servers by host, over all backends, under a line of headings. Empty of hosts where the
/// socket's level hides addresses.
fn coordinators(sample: &Sample) -> Vec<[String; 8]> {
    const PROTOCOLS: [u16; 4] = [ports::BEESWAX, ports::HS2, ports::HS2_HTTP, ports::WEB];
    let mut hosts: BTreeMap<&str, Coordinator> = BTreeMap::new();
    for server in sample.rows.iter().filter(|row| row.kind == Kind::Server) {
        let Some((host, port)) = server.address.rsplit_once(':') else { continue };
        let Some(protocol) = PROTOCOLS.iter().position(|known| port.parse() == Ok(*known)) else { continue };
        let coordinator = hosts.entry(host).or_default();
        coordinator.sessions[protocol] += server.sessions;
        coordinator.queue += server.queue;
        coordinator.errors += server.errors;
        coordinator.servers += 1;
        coordinator.up += u64::from(server.status.starts_with("UP") || server.status == "no check");
    }
    let headings =
        ["COORDINATOR", "UP", "BEESWAX", "HS2", "HTTP", "WEB", "QUEUE", "ERRORS"].map(str::to_owned);
    let rows = hosts.into_iter().map(|(host, coordinator)| {
        let [beeswax, hs2, http, web] = coordinator.sessions.map(|sessions| sessions.to_string());
        let up = format!("{}/{}", coordinator.up, coordinator.servers);
        let [queue, errors] = [coordinator.queue, coordinator.errors].map(|number| number.to_string());
        [host.to_owned(), up, beeswax, hs2, http, web, queue, errors]
    });
    std::iter::once(headings).chain(rows).collect()
}

/// Columns as wide as their widest cell; the first to the left, numbers to the right.
fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let left = column < 2 || (N == COLUMNS.len() && column + 1 == N);
            let gap = if column == 0 { "" } else { " " };
            let cell = if left { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            line = line + gap + &cell;
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Three digits and a letter for the thousands.
fn amount(mut number: f64) -> String {
    let mut units = ["", "k", "M", "G", "T"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if number < 999.5 {
            break;
        }
        (number, unit) = (number / 1000.0, larger);
    }
    if unit.is_empty() || number >= 99.5 {
        format!("{number:.0}{unit}")
    } else {
        format!("{number:.1}{unit}")
    }
}

/// Seconds in their largest unit.
fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fits_eighty_columns_and_sums_coordinators() {
        let stat = "# pxname,svname,type,status,weight,qcur,scur,smax,slim,check_status,check_duration,lastchg,addr\n\
            hs2,coordinator1,2,UP,1,2,12,60,60,L4OK,3,7200,10.0.0.1:21050\n\
            hs2,BACKEND,1,UP,1,0,12,60,200,,,7200,\n\
            shell,coordinator1,2,DOWN,1,0,3,9,60,L4CON,0,5,10.0.0.1:21000\n\
            shell,BACKEND,1,DOWN,0,0,3,9,200,,,5,\n";
        let info = "Name: HAProxy\nVersion: 2.6.12\nPid: 7\nUptime_sec: 90\nCurrConns: 15\nMaxconn: 500\n";
        let sample = Sample::parse(info, stat).expect("a sample");
        let lines = page(&sample, &Rates::default());
        assert_eq!(lines[0], "HAProxy 2.6.12  pid 7  up 1m");
        assert!(lines[1].starts_with("connections 15 of 500"));
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
        let words = |at: usize| lines[at].split_whitespace().collect::<Vec<_>>();
        let server = ["coordinator1", "UP", "2h", "1", "2", "12", "60", "60", "0", "-", "-", "L4OK", "3ms"];
        assert_eq!(words(5), server);
        assert_eq!(words(lines.len() - 1), ["10.0.0.1", "1/2", "3", "12", "0", "0", "2", "0"]);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, 999.0, 1500.0, 2e8, 3e15].map(amount), ["0", "999", "1.5k", "200M", "3000T"]);
        assert_eq!([5, 61, 7300, 90000].map(age), ["5s", "1m", "2h", "1d"]);
    }
}
