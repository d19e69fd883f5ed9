//! What more cores would carry, reckoned from what one worker was measured to need.

use super::metric::Metric;
use super::number::short;
use super::{OURS, Report};

/// Cores of the hosts that are reckoned.
const CORES: [u32; 5] = [8, 16, 32, 64, 128];
/// Sessions for which memory is reckoned, for each worker.
const SESSIONS: f64 = 10_000.0;
/// Gbit of a GiB.
const GBIT: f64 = 8.589_934_592;
const MIB: f64 = 1024.0;

/// What one worker needs.
struct Constants {
    connection_us: f64,
    trip_us: f64,
    gib_s: f64,
    /// Of an idle session: the proxy's own memory, and the kernel's for its two sockets.
    resident_kib: f64,
    slab_kib: Option<f64>,
    /// The proxy's memory at work, receive buffers and all, whatever the sessions.
    fixed_mib: f64,
    /// CPU of a unit with two workers, over that with one; None: not measured.
    second: Option<f64>,
}

/// The model as lines of text: what it assumes, then a line for each size of host. Empty when a constant was
/// not measured.
pub fn lines(report: &Report) -> Vec<String> {
    let Some(constants) = constants(report) else { return Vec::new() };
    let Constants { connection_us, trip_us, gib_s, resident_kib, slab_kib, fixed_mib, second } = constants;
    let kernel = slab_kib.map_or_else(|| "not measured".to_owned(), |slab| format!("{} KiB", short(slab)));
    let growth = second.map_or_else(
        || "taken as 1 (pronk-two measures it)".to_owned(),
        |second| format!("measured as {} and paid again with each doubling", short(second.max(1.0))),
    );
    let mut lines = vec![
        format!(
            "One worker, measured here: {} us a connection (short), {} us a round trip (trip-200-64), {} s a GiB \
             (bulk-64), {} KiB RSS and {kernel} of kernel slab for its own two sockets an idle session; {} MiB RSS at \
             work, receive buffers included, taken for each worker.",
            short(connection_us),
            short(trip_us),
            short(gib_s),
            short(resident_kib),
            short(fixed_mib),
        ),
        format!(
            "Assumed: workers share nothing, so that the CPU of a unit with two over that with one is {growth}; one core \
             in eight is left to interrupts and control; a core is as fast as this one when all work; cards, memory \
             bandwidth and servers keep up; each of the three rates alone fills the workers; one address has at most \
             64 511 connections to one server."
        ),
        format!(
            "{:>5}  {:>7}  {:>13}  {:>13}  {:>8}  {:>10}  {:>12}",
            "cores", "workers", "connections/s", "round trips/s", "Gbit/s", "sessions", "memory, MiB"
        ),
    ];
    lines.extend(CORES.map(|cores| {
        let workers = f64::from(cores - (cores / 8).max(1));
        let capacity = workers / second.unwrap_or(1.0).max(1.0).powf(workers.log2());
        let sessions = SESSIONS * workers;
        let memory = workers * fixed_mib + sessions * (resident_kib + slab_kib.unwrap_or(0.0)) / MIB;
        format!(
            "{cores:>5}  {workers:>7}  {:>13.0}  {:>13.0}  {:>8.0}  {sessions:>10}  {memory:>12.0}",
            capacity * 1e6 / connection_us,
            capacity * 1e6 / trip_us,
            capacity * GBIT / gib_s,
        )
    }));
    lines
}

fn constants(report: &Report) -> Option<Constants> {
    let of = |peer: &str, workload: &str, metric| {
        let place = report.peers.iter().position(|name| name == peer)?;
        report.row(workload, metric)?.values.get(place)?.median()
    };
    let one = |workload, metric| of(OURS, workload, metric);
    let trip_us = one("trip-200-64", Metric::CpuPerTrip)?;
    // Buffers that were needed once stay: the most that any of the three rates needs. Two workers under the load of one
    // need less each, so that pronk-two says nothing of a worker that is full.
    let at_work = ["short", "trip-200-64", "bulk-64"].map(|workload| one(workload, Metric::Resident));
    let at_work = at_work.into_iter().collect::<Option<Vec<f64>>>()?;
    Some(Constants {
        connection_us: one("short", Metric::CpuPerConnection)?,
        trip_us,
        gib_s: one("bulk-64", Metric::CpuPerGib)?,
        resident_kib: one("idle", Metric::ResidentPerSession)?,
        slab_kib: one("idle", Metric::SlabPerSession),
        fixed_mib: at_work.into_iter().fold(0.0, f64::max),
        second: of("pronk-two", "trip-200-64", Metric::CpuPerTrip).map(|two| two / trip_us),
    })
}
