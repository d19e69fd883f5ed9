//! The whole comparison: rounds, in each all workloads, in each all proxies in turn.

use std::time::Instant;

use crate::awake;
use crate::cores::{self, Cores};
use crate::environment;
use crate::failure::{Attempt, Failure};
use crate::options::Options;
use crate::peers::{Peer, Setup};
use crate::plot;
use crate::report::metric::Better;
use crate::report::number::short;
use crate::report::{Report, json, table};
use crate::workload::{Sample, Scale, Workload};

/// Measures everything asked for, prints and writes the results. False: something was not measured.
pub fn run(options: &Options) -> Result<bool, Failure> {
    let cores = Cores::choose(options.proxy_core, options.load_core)?;
    let descriptors = environment::raise_descriptors()?;
    std::fs::create_dir_all(&options.folder).attempting(format!("creating {}", options.folder.display()))?;
    let folder = std::fs::canonicalize(&options.folder).attempting("resolving the output folder")?;
    cores::pin(cores.load)?;
    let peers = find_peers(options)?;
    let mut report = Report {
        environment: environment::describe(options, cores, descriptors, &peers),
        peers: peers.iter().map(|peer| peer.kind.name().to_owned()).collect(),
        ..Report::default()
    };
    let _spinners = if options.awake { awake::keep(cores, &folder)? } else { Vec::new() };
    let setup = Setup { cores, descriptors, logs: options.logs, folder };
    measure_all(options, &setup, &peers, &mut report);
    publish(&report, &setup)?;
    Ok(report.failures.is_empty())
}

/// A proxy that is not installed is named and left out.
fn find_peers(options: &Options) -> Result<Vec<Peer>, Failure> {
    let mut peers = Vec::new();
    for kind in &options.kinds {
        match Peer::find(*kind, &options.programs)? {
            Some(peer) => peers.push(peer),
            None => eprintln!("compare: without {}: it is not installed and no path was given", kind.name()),
        }
    }
    if peers.is_empty() {
        return Err(Failure::new("no proxy to measure"));
    }
    Ok(peers)
}

fn measure_all(options: &Options, setup: &Setup, peers: &[Peer], report: &mut Report) {
    let room = setup.maxconn().saturating_sub(100);
    let scale = Scale { idle_sessions: options.scale.idle_sessions.min(room), ..options.scale };
    for round in 0..options.rounds {
        for workload in &options.workloads {
            for turn in 0..peers.len() {
                // Each round begins with another proxy, so that none always follows the same one.
                let place = (turn + round) % peers.len();
                let label = format!("round {}/{}", round + 1, options.rounds);
                measure_one(*workload, place, &peers[place], setup, scale, &label, report);
            }
        }
    }
}

fn measure_one(
    workload: Workload,
    place: usize,
    peer: &Peer,
    setup: &Setup,
    scale: Scale,
    label: &str,
    report: &mut Report,
) {
    let began = Instant::now();
    let (name, proxy) = (workload.name(), peer.kind.name());
    match workload.measure(peer, setup, scale) {
        Ok(sample) => {
            let seconds = began.elapsed().as_secs_f64();
            eprintln!("{label} {name:<14} {proxy:<15} {} ({seconds:.1} s)", in_brief(&sample));
            sample.into_iter().for_each(|(metric, value)| report.add(&name, metric, place, value));
        }
        Err(failure) => {
            eprintln!("{label} {name:<14} {proxy:<15} FAILED: {failure}");
            report.failures.push(format!("{label}, {name}, {proxy}: {failure}"));
        }
    }
}

fn in_brief(sample: &Sample) -> String {
    let judged = sample.iter().filter(|(metric, _)| metric.better() != Better::Neither);
    let words: Vec<String> =
        judged.map(|(metric, value)| format!("{} {}", short(*value), metric.label())).collect();
    words.join("; ")
}

/// Prints the table; writes it, the JSON and the plots.
fn publish(report: &Report, setup: &Setup) -> Result<(), Failure> {
    let plots = plot::draw_all(report, &setup.folder)?;
    let write = |name: &str, text: String| {
        let path = setup.folder.join(name);
        std::fs::write(&path, text).attempting(format!("writing {}", path.display()))
    };
    write("compare.json", json::write(report))?;
    write("compare.md", table::markdown(report, &plots))?;
    println!("{}", table::text(report));
    println!("written: {}/compare.md, compare.json and {} plots", setup.folder.display(), plots.len());
    Ok(())
}
