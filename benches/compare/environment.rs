//! What the numbers depend on, to be printed with them.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cores::Cores;
use crate::failure::{Attempt, Failure};
use crate::options::Options;
use crate::order::SEED;
use crate::peers::{Kind, Logging, Peer};

const CPU: &str = "/sys/devices/system/cpu";
const MOST_DESCRIPTORS: u64 = 400_000;

/// Raises the limit of descriptors to what is allowed and tells it; spawned proxies inherit it.
pub fn raise_descriptors() -> Result<u64, Failure> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .attempting("raising RLIMIT_NOFILE")?;
    // Nobody here needs more.
    Ok(limit.maximum.unwrap_or(MOST_DESCRIPTORS).min(MOST_DESCRIPTORS))
}

/// Name and value of each thing worth knowing.
pub fn describe(options: &Options, cores: Cores, descriptors: u64, peers: &[Peer]) -> Vec<(String, String)> {
    let scale = options.scale;
    let mut lines = vec![
        ("date", jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S %z").to_string()),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("processor", processor()),
        (
            "cores",
            format!(
                "{} allowed; proxy on {}, load and backend on {}",
                cores.allowed, cores.proxy, cores.load
            ),
        ),
        ("congestion control", congestion()),
        (
            "idle",
            format!("{}; idle cores {}", idle_states(Path::new(CPU), cores.proxy), sleep(options.awake)),
        ),
        ("load average", read("/proc/loadavg")),
        ("descriptors", descriptors.to_string()),
        ("method", method(options)),
        ("logs", asked(options.logs, peers, |kind| kind.logging() != Logging::Nowhere)),
        ("checks of servers", asked(options.checks, peers, Kind::can_check)),
        (
            "steady interval",
            format!("{} s, each slice after {} s", scale.steady.as_secs_f64(), scale.warm_up.as_secs_f64()),
        ),
    ];
    lines.extend(peers.iter().map(|peer| {
        let mode = peer.kind.mode(options.logs, options.checks);
        (peer.kind.name(), format!("{} ({mode})", peer.version))
    }));
    lines.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn sleep(awake: bool) -> &'static str {
    if awake { "poll" } else { "sleep as the host has it" }
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// Whether an option is on, and who does not do as it says.
fn asked(on: bool, peers: &[Peer], obeys: fn(Kind) -> bool) -> String {
    let without = peers.iter().map(|peer| peer.kind).filter(|kind| on && !obeys(*kind));
    let without: Vec<&str> = without.map(Kind::name).collect();
    if without.is_empty() { on_off(on).to_owned() } else { format!("on, but not of {}", without.join(", ")) }
}

fn method(options: &Options) -> String {
    format!(
        "{} round(s), in each the proxies started anew and at work in turn, in an order drawn each time (seed {SEED}), \
         {} s each",
        options.rounds,
        options.scale.slice.as_secs_f64()
    )
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn congestion() -> String {
    let name = read("/proc/sys/net/ipv4/tcp_congestion_control");
    if name == "bbr" {
        return "bbr (multiplies the cost of a byte on loopback; --congestion reno or cubic avoids it)"
            .to_owned();
    }
    name
}

/// The states in which a core may sleep, from the kernel's files about processors, with the time each takes to wake up.
pub fn idle_states(cpu: &Path, core: usize) -> String {
    let of = |path: String| read(cpu.join(path));
    let folder = format!("cpu{core}/cpuidle");
    let state = |number: &u32| cpu.join(format!("{folder}/state{number}")).is_dir();
    let describe = |number: u32| {
        let of = |what: &str| of(format!("{folder}/state{number}/{what}"));
        let disabled = if of("disable") == "0" { "" } else { ", disabled" };
        format!("{} ({} us{disabled})", of("name"), of("latency"))
    };
    let states: Vec<String> = (0..).take_while(state).map(describe).collect();
    let states = if states.is_empty() { "no states".to_owned() } else { states.join(", ") };
    format!("driver {}: {states}", of("cpuidle/current_driver".to_owned()))
}

fn processor() -> String {
    let text = read("/proc/cpuinfo");
    let model = text.lines().find(|line| line.starts_with("model name"));
    model.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, name)| name).to_owned()
}
