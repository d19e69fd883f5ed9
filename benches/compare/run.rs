//! The whole comparison: rounds, in each all workloads, in each all proxies in turn, slice by slice.

use std::path::Path;

use crate::awake;
use crate::cores::{self, Cores};
use crate::environment;
use crate::failure::{Attempt, Failure};
use crate::options::Options;
use crate::order::{Order, SEED};
use crate::output;
use crate::peers::{Kind, Peer, Setup};
use crate::perf::{Look, PERF, Perf};
use crate::progress::Progress;
use crate::report::Report;
use crate::report::metric::{Better, Metric};
use crate::report::number::short;
use crate::workload::{Measurement, Sample, Scale, Workload};

/// Measures everything asked for, prints and writes the results. False: something was not measured.
pub fn run(options: &Options) -> Result<bool, Failure> {
    let cores = Cores::choose(options.proxy_core, options.load_core)?;
    let descriptors = environment::raise_descriptors()?;
    std::fs::create_dir_all(&options.folder).attempting(format!("creating {}", options.folder.display()))?;
    let folder = std::fs::canonicalize(&options.folder).attempting("resolving the output folder")?;
    cores::pin(&[cores.load])?;
    let peers = find_peers(options)?;
    let mut report = Report {
        environment: environment::describe(options, cores, descriptors, &peers),
        peers: peers.iter().map(|peer| peer.kind.name().to_owned()).collect(),
        ..Report::default()
    };
    let _awake = options.awake.then(|| awake::keep(Path::new("/"))).transpose()?;
    let Options { logs, checks, .. } = *options;
    let setup = Setup { cores, descriptors, logs, checks, look: None, folder };
    measure_all(options, &setup, &peers, &mut report);
    for metric in [Metric::UsualP99, Metric::UsualP99Long] {
        report.leave_out_partial(metric, Metric::P99);
    }
    output::publish(&report, &setup.folder)?;
    Ok(report.failures.is_empty())
}

/// A proxy that is not installed is named and left out.
fn find_peers(options: &Options) -> Result<Vec<Peer>, Failure> {
    let mut peers = Vec::new();
    for kind in &options.kinds {
        match Peer::find(*kind, &options.programs) {
            // Nobody asked for it: what is on the PATH cannot do this.
            Err(failure) if *kind == Kind::Nginx && options.programs.nginx.is_none() && !options.chosen => {
                eprintln!("compare: without nginx: {failure}");
            }
            Err(failure) => return Err(failure),
            Ok(Some(peer)) => peers.push(peer),
            Ok(None) => {
                eprintln!("compare: without {}: it is not installed and no path was given", kind.name())
            }
        }
    }
    if peers.is_empty() {
        return Err(Failure::new("no proxy to measure"));
    }
    Ok(peers)
}

fn measure_all(options: &Options, setup: &Setup, peers: &[Peer], report: &mut Report) {
    let mut workloads = options.workloads.clone();
    workloads.retain(|workload| match workload.missing(setup) {
        None => true,
        Some(why) => {
            report.not_run.push(format!("{}: {why}", workload.name()));
            false
        }
    });
    let steady: Vec<Workload> = workloads.iter().copied().filter(|workload| workload.is_steady()).collect();
    let looks = looks(options, report);
    let total = (options.rounds * workloads.len() + looks.len() * steady.len()) * peers.len();
    let (setup, progress, order) = (setup.clone(), Progress::new(total), Order::new(SEED));
    let mut run = Run { setup, peers, progress, order, round: 0, report };
    for round in 0..options.rounds {
        run.round(&format!("round {}/{}", round + 1, options.rounds), round, &workloads, options.scale);
    }
    for look in looks {
        run.setup.look = Some(look);
        run.round("perf", 0, &steady, options.scale);
    }
}

/// What perf is to look for in further rounds; that it cannot is for the reader of the table.
fn looks(options: &Options, report: &mut Report) -> Vec<Look> {
    let wanted = [(options.syscalls, Look::Calls), (options.profile, Look::Functions)];
    let mut looks: Vec<Look> =
        wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, look)| look).collect();
    looks.retain(|look| match Perf::find(PERF).and_then(|perf| perf.check(*look)) {
        Ok(()) => true,
        Err(why) => {
            report.not_run.push(format!("{look:?}: {why}"));
            false
        }
    });
    looks
}

/// What is the same for all measurements.
struct Run<'a> {
    setup: Setup,
    peers: &'a [Peer],
    progress: Progress,
    order: Order,
    /// The number of the round.
    round: usize,
    report: &'a mut Report,
}

impl Run<'_> {
    fn round(&mut self, label: &str, number: usize, workloads: &[Workload], scale: Scale) {
        self.round = number;
        let mut order: Vec<usize> = (0..self.peers.len()).collect();
        for workload in workloads {
            self.order.shuffle(&mut order);
            // Memory is the whole machine's, and perf is not begun and ended every moment.
            let alone = !workload.is_steady() || self.setup.look.is_some();
            for together in order.chunks(if alone { 1 } else { order.len() }) {
                let slice = if alone { scale.steady } else { scale.slice.min(scale.steady) };
                self.measure(*workload, together, label, Scale { slice, ..scale });
            }
        }
    }

    /// Slices of these proxies in turn, each time in another order.
    fn measure(&mut self, workload: Workload, places: &[usize], label: &str, scale: Scale) {
        let setup = self.setup.clone();
        let name = workload.name();
        let begin = |place: &usize| {
            self.progress.under_way(&format!("{label} {name}: {} begins", self.name(*place)), 0.0);
            (*place, workload.begin(&self.peers[*place], &setup, scale))
        };
        let mut at_work: Vec<_> = places.iter().map(begin).collect();
        let slices = (scale.steady.as_secs_f64() / scale.slice.as_secs_f64()).round() as usize;
        for slice in 0..slices {
            self.order.shuffle(&mut at_work);
            for (turn, (place, measurement)) in at_work.iter_mut().enumerate() {
                let what = format!("{label} {name}: slice {}/{slices} of {}", slice + 1, self.name(*place));
                let part = (slice * places.len() + turn) as f64 / slices as f64;
                self.progress.under_way(&what, part);
                let worked = measurement.as_mut().map(|measurement| measurement.slice(scale.slice));
                if let Ok(Err(failure)) = worked {
                    *measurement = Err(failure);
                }
            }
        }
        at_work.sort_by_key(|(place, _)| places.iter().position(|next| next == place));
        for (place, measurement) in at_work {
            self.note(workload, place, label, measurement.and_then(Measurement::end));
        }
    }

    fn name(&self, place: usize) -> &'static str {
        self.peers[place].kind.name()
    }

    fn note(&mut self, workload: Workload, place: usize, label: &str, outcome: Result<Sample, Failure>) {
        let (name, proxy) = (workload.name(), self.name(place));
        let shown = format!("{label} {name:<14} {proxy:<15}");
        match outcome {
            Ok(mut sample) => {
                // Perf slows the proxy: nothing else of such a measurement is true.
                let seen = |metric| matches!(metric, Metric::SyscallsPerUnit | Metric::Sockets);
                let wanted = |metric| self.setup.look.is_none() || seen(metric);
                sample.values.retain(|(metric, _)| wanted(*metric));
                self.progress.step(&format!("{shown} {}", in_brief(&sample)));
                sample
                    .values
                    .into_iter()
                    .for_each(|(metric, value)| self.report.add(&name, metric, place, self.round, value));
                if !sample.memory.is_empty() {
                    self.report.add_memory(proxy, sample.memory);
                }
            }
            Err(failure) => {
                self.progress.step(&format!("{shown} FAILED: {failure}"));
                self.report.failures.push(format!("{label}, {name}, {proxy}: {failure}"));
            }
        }
    }
}

fn in_brief(sample: &Sample) -> String {
    let judged = sample.values.iter().filter(|(metric, _)| metric.better() != Better::Neither);
    let words: Vec<String> =
        judged.map(|(metric, value)| format!("{} {}", short(*value), metric.label())).collect();
    words.join("; ")
}
