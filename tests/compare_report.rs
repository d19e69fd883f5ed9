//! What benches/compare says and writes must be right, and benches run no tests.

#![allow(dead_code)]

#[path = "../benches/compare/failure.rs"]
mod failure;
#[path = "../benches/compare/output.rs"]
mod output;
#[path = "../benches/compare/plot/mod.rs"]
mod plot;
#[path = "../benches/compare/report/mod.rs"]
mod report;

use std::fs;

use report::account::{Account, Kind};
use report::diff::{self, Verdict};
use report::metric::{Better, Metric};
use report::rounds::Rounds;
use report::stats::Trend;
use report::{Report, json, number, scale, stats, table, target};

/// Two workloads, three proxies; HAProxy's better mode is another one in each row.
fn sample() -> Report {
    let mut report = Report {
        environment: vec![("kernel".to_owned(), "6.18".to_owned())],
        peers: ["pronk", "haproxy-copy", "haproxy-splice", "nginx"].map(str::to_owned).to_vec(),
        ..Report::default()
    };
    let mut row = |workload, metric, medians: [f64; 4]| {
        for (peer, median) in medians.into_iter().enumerate() {
            [1.0, 1.1, 0.9].iter().enumerate().for_each(|(round, factor)| {
                // Four digits: JSON's reader is exact for short decimals only.
                let value = (median * factor * 1e4).round() / 1e4;
                report.add(workload, metric, peer, round, value);
            });
        }
    };
    row("bulk-1", Metric::CpuPerGib, [0.05, 0.2, 0.125, 0.3]);
    row("bulk-1", Metric::Gbps, [90.0, 60.0, 45.0, 30.0]);
    row("short", Metric::LoadBusy, [99.0, 98.0, 97.0, 96.0]);
    report
}

#[test]
fn median_is_the_middle() {
    assert_eq!(stats::median(&[]), None);
    assert_eq!(stats::median(&[3.0]), Some(3.0));
    assert_eq!(stats::median(&[9.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(stats::median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
}

#[test]
fn spread_is_the_range_in_percent_of_the_median() {
    assert_eq!(stats::spread(&[10.0, 9.0, 12.0]), Some(30.0));
    assert_eq!(stats::spread(&[10.0]), None);
    assert_eq!(stats::spread(&[0.0, 0.0]), None);
}

#[test]
fn slope_is_the_growth_and_ignores_the_start() {
    let points: Vec<(f64, f64)> = (1..=5).map(|x| (f64::from(x), 1000.0 + 1.7 * f64::from(x))).collect();
    let slope = stats::slope(&points).expect("five different x");
    assert!((slope - 1.7).abs() < 1e-9, "{slope}");
    assert_eq!(stats::slope(&[(1.0, 2.0), (1.0, 3.0)]), None);
    assert_eq!(stats::slope(&[]), None);
}

#[test]
fn advantage_is_above_one_when_ahead() {
    assert_eq!(stats::advantage(5.0, 10.0, Better::Lower), Some(2.0));
    assert_eq!(stats::advantage(5.0, 10.0, Better::Higher), Some(0.5));
    assert_eq!(stats::advantage(0.0, 10.0, Better::Lower), None);
    assert_eq!(stats::advantage(5.0, 10.0, Better::Neither), None);
}

fn rounds<const N: usize>(values: [f64; N]) -> Rounds {
    values.into_iter().map(Some).collect()
}

#[test]
fn the_advantage_is_that_of_the_middle_pair() {
    // A machine half as fast in two rounds of five, not the same two for both medians.
    let (ours, theirs) = (rounds([1.0, 2.0, 1.0, 2.0, 1.0]), rounds([1.5, 3.0, 3.2, 3.0, 1.5]));
    assert_eq!(ours.advantage(&theirs, Better::Lower), Some(1.5));
    let late: Rounds = [None, None, None, None, None, Some(3.0)].into_iter().collect();
    assert_eq!(ours.advantage(&late, Better::Lower), Some(3.0), "no pairs");
    assert_eq!(Rounds::default().advantage(&theirs, Better::Lower), None);
}

/// A machine half as fast in its second round, in which theirs failed, and twice in its third, in which ours did: two
/// lists of the same length, of which only the first and the last values belong together.
#[test]
fn rounds_are_pairs_by_their_number() {
    let ours: Rounds = [Some(1.0), Some(2.0), None, Some(1.0)].into_iter().collect();
    let theirs: Rounds = [Some(3.0), None, Some(1.5), Some(3.0)].into_iter().collect();
    assert_eq!(ours.pairs(&theirs), [(1.0, 3.0), (1.0, 3.0)]);
    assert_eq!(ours.advantage(&theirs, Better::Lower), Some(3.0));
    assert_eq!(ours.advantage_interval(&theirs, Better::Lower), None, "two pairs tell nothing of the noise");
    assert_eq!((ours.median(), theirs.values()), (Some(1.0), vec![3.0, 1.5, 3.0]));
}

/// By hand: the logarithms of 2, 2.2 and 1.8 have mean 0.6898 and deviation 0.1004; t is 4.303.
#[test]
fn the_interval_is_that_of_the_ratios_pair_by_pair() {
    let interval = |ours: &Rounds, theirs: &Rounds, better| {
        ours.advantage_interval(theirs, better).map(|(low, high)| format!("{low:.3}-{high:.3}"))
    };
    let (ours, theirs) = (rounds([1.0, 10.0, 5.0]), rounds([2.0, 22.0, 9.0]));
    assert_eq!(interval(&ours, &theirs, Better::Lower).as_deref(), Some("1.553-2.558"));
    assert_eq!(interval(&theirs, &ours, Better::Higher).as_deref(), Some("1.553-2.558"));
    assert_eq!(interval(&ours, &theirs, Better::Neither), None);
    assert_eq!(interval(&ours, &rounds([2.0, 22.0]), Better::Lower), None, "a round without its pair");
    assert_eq!(interval(&rounds([1.0, 0.0, 1.0]), &theirs, Better::Lower), None, "no ratio of nothing");
}

#[test]
fn advantage_is_against_the_better_mode() {
    let report = sample();
    let against = |workload, metric, prefix| {
        let row = report.row(workload, metric).expect("a row of the sample");
        report.advantage(row, prefix).map(number::times)
    };
    assert_eq!(against("bulk-1", Metric::CpuPerGib, "haproxy").as_deref(), Some("2.50x"));
    assert_eq!(against("bulk-1", Metric::Gbps, "haproxy").as_deref(), Some("1.50x"));
    assert_eq!(against("bulk-1", Metric::Gbps, "nginx").as_deref(), Some("3.00x"));
    assert_eq!(against("bulk-1", Metric::Gbps, "envoy"), None);
    assert_eq!(against("short", Metric::LoadBusy, "haproxy"), None);
}

#[test]
fn table_shows_medians_ratios_and_aims() {
    let text = table::text(&sample());
    let row = |start: &str| {
        let line = text.lines().find(|line| line.contains(start)).expect("the row is printed");
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let cost = row("s/GiB");
    assert_eq!(cost[..4], ["bulk-1", "proxy", "CPU,", "s/GiB"]);
    let expected = [
        "0.050",
        "0.200",
        "0.125",
        "0.300",
        "20.0",
        "2.50x",
        "2.50-2.50",
        "6.00x",
        "6.00-6.00",
        "2.00x",
        "met",
    ];
    assert_eq!(cost[4..], expected);
    assert!(row("load at work").contains(&"-".to_owned()));
}

#[test]
fn a_variant_has_a_column_of_its_own() {
    let mut report = sample();
    report.peers[1] = "pronk-other".to_owned();
    let text = table::text(&report);
    let line = |start: &str| text.lines().find(|line| line.contains(start)).expect("the line is printed");
    assert!(line("workload").contains(" vs pronk-other "), "{text}");
    assert!(line("s/GiB").contains(" 4.00x 4.00-4.00 "), "{text}");
    assert!(line("Gbit/s").contains(" 1.50x 1.50-1.50 "), "{text}");
}

#[test]
fn table_names_what_is_missing() {
    let mut report = sample();
    report.failures.push("round 1/1, idle, nginx: it said nothing".to_owned());
    report.not_run.push("idle-100k: too few descriptors".to_owned());
    report.add("idle", Metric::ResidentPerSession, 1, 0, 1.8);
    let text = table::text(&report);
    assert!(text.contains("NOT MEASURED: round 1/1, idle, nginx"), "{text}");
    assert!(text.contains("NOT RUN: idle-100k: too few"), "{text}");
    let line = text.lines().find(|line| line.contains("RSS")).expect("the row is printed");
    let cells: Vec<&str> = line.split_whitespace().skip(6).collect();
    assert_eq!(cells, ["-", "1.80", "-", "-", "-", "-", "-", "10.00x"]);
}

#[test]
fn a_busy_machine_is_named() {
    let mut report = sample();
    report.add("bulk-1", Metric::ProxyWaited, 1, 0, 4.9);
    assert!(!table::text(&report).contains("BUSY MACHINE"));
    report.add("bulk-1", Metric::LoadWaited, 2, 0, 12.3);
    assert!(table::text(&report).contains("for up to 12.3 % of the time"));
    assert!(table::markdown(&report, &[]).contains("**BUSY MACHINE"));
    report.add("bulk-1", Metric::LoadStolen, 0, 0, 7.0);
    let both = "from its core for up to 12.3 % of the time, the host stole the proxy's core or the load's for up to 7.00 %";
    assert!(table::text(&report).contains(both), "{}", table::text(&report));
}

#[test]
fn a_load_at_its_limit_is_named() {
    let mut report = sample();
    let rounds = [vec![96.0, 97.0], vec![95.0, 94.0], vec![], vec![99.0]];
    report.rows.last_mut().expect("the load's row").values =
        rounds.map(|values| values.into_iter().map(Some).collect()).to_vec();
    let note = "in short (pronk, nginx): rates there";
    assert!(table::text(&report).contains(note), "{}", table::text(&report));
    assert!(table::markdown(&report, &[]).contains(note));
    report.rows.pop();
    assert!(!table::text(&report).contains("LOAD AT ITS LIMIT"));
}

#[test]
fn markdown_has_one_cell_a_column() {
    let text = table::markdown(&sample(), &["bulk-cpu.svg".to_owned()]);
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 5, "head, rule and three rows:\n{text}");
    assert!(rows.iter().all(|row| row.matches('|').count() == 11), "{text}");
    assert!(text.contains("![bulk-cpu.svg](bulk-cpu.svg)"));
}

/// Their columns would make the terminal's table too wide; the files have them.
#[test]
fn files_have_ratio_and_interval_against_every_proxy() {
    let mut report = sample();
    report.peers[1] = "envoy".to_owned();
    report.peers[2] = "sozu".to_owned();
    let text = table::text(&report);
    assert!(!text.contains("vs Sōzu") && !text.contains("vs Envoy"), "{text}");
    let text = table::markdown(&report, &[]);
    assert!(text.contains("| vs nginx | vs Sōzu | vs Envoy | aim |"), "{text}");
    assert!(text.contains("| 6.00x 6.00-6.00 | 2.50x 2.50-2.50 | 4.00x 4.00-4.00 | 2.00x |"), "{text}");
    let whole: serde_json::Value = serde_json::from_str(&json::write(&report)).expect("it is JSON");
    let against = &whole["rows"][0]["against"];
    let names: Vec<_> = against.as_object().expect("names").keys().map(String::as_str).collect();
    assert_eq!(names, ["envoy", "nginx", "sozu"]);
    let shown = |value: &serde_json::Value| value.as_f64().map(|number| format!("{number:.2}"));
    let sozu = [&against["sozu"]["times_better"], &against["sozu"]["interval_95"][1]];
    assert_eq!(sozu.map(shown), [Some("2.50".to_owned()), Some("2.50".to_owned())]);
}

#[test]
fn json_reads_back_what_it_wrote() {
    let mut report = sample();
    report.failures.push("idle: why".to_owned());
    report.not_run.push("idle-100k: why".to_owned());
    report.add_memory("nginx", vec![(1000.0, 12.5), (5000.0, 62.25)]);
    report.add("idle", Metric::ResidentPerSession, 3, 2, 10.4);
    assert_eq!(json::read(&json::write(&report)), Ok(report));
}

/// As it was written before rounds had their numbers.
#[test]
fn json_of_an_older_version_is_read_unless_rounds_failed() {
    let report = sample();
    let older = |report: &Report| json::write(report).replace(",\n  \"version\": 2", "");
    assert_eq!(json::read(&older(&report)), Ok(report.clone()));
    let failed = Report { failures: vec!["round 2/3, idle, nginx: why".to_owned()], ..report };
    assert!(json::read(&older(&failed)).expect_err("rounds are unknown").contains("too old"));
    let newer = json::write(&failed).replace("\"version\": 2", "\"version\": 3");
    assert_eq!(json::read(&newer), Err("its version is not 2, the only one known here".to_owned()));
}

#[test]
fn what_is_no_number_is_a_failure() {
    let mut report = sample();
    report.add("mixed", Metric::BusiestThread, 0, 0, f64::INFINITY);
    report.add("bulk-1", Metric::Gbps, 3, 0, f64::NAN);
    assert_eq!(report.rows, sample().rows);
    let expected = [
        "round 1, mixed, pronk: CPU of its busiest thread, us/unit was inf",
        "round 1, bulk-1, nginx: throughput, Gbit/s was NaN",
    ];
    assert_eq!(report.failures, expected);
}

#[test]
fn rows_of_a_workload_stand_together() {
    let mut report = sample();
    report.add("bulk-1", Metric::SyscallsPerUnit, 0, 0, 1.5);
    let names: Vec<&str> = report.rows.iter().map(|row| row.workload.as_str()).collect();
    assert_eq!(names, ["bulk-1", "bulk-1", "bulk-1", "short"]);
    assert_eq!(report.rows[2].values[0].values(), [1.5]);
}

#[test]
fn memory_is_that_with_the_most_sessions() {
    let mut report = sample();
    let points = |most: f64| vec![(1000.0, 3.0), (most, 9.0)];
    [5000.0, 100_000.0, 4000.0].into_iter().for_each(|most| report.add_memory("pronk", points(most)));
    report.add_memory("nginx", points(5000.0));
    let most: Vec<_> =
        report.memory.iter().map(|growth| (growth.peer.as_str(), growth.points[1].0)).collect();
    assert_eq!(most, [("pronk", 100_000.0), ("nginx", 5000.0)]);
}

#[test]
fn what_only_the_faster_ones_have_is_left_out() {
    let mut report = sample();
    for (workload, peers) in [("mixed", 0..4), ("rate-10k", 0..3), ("poller", 0..4)] {
        (0..4).for_each(|peer| report.add(workload, Metric::P99, peer, 0, 900.0));
        peers.for_each(|peer| report.add(workload, Metric::UsualP99, peer, 0, 300.0));
    }
    report.add("poller", Metric::P99, 1, 1, 900.0);
    let before = report.rows.len();
    report.leave_out_partial(Metric::UsualP99, Metric::P99);
    assert_eq!(report.rows.len(), before - 2);
    assert!(report.row("mixed", Metric::UsualP99).is_some());
    let told = |of: &str, whom: &str| format!("{of}, p99 of a usual 20 ms, us: too few answers with {whom}");
    assert_eq!(report.not_run, [told("rate-10k", "nginx"), told("poller", "haproxy-copy")]);
}

#[test]
fn json_errors_name_what_is_wrong() {
    assert!(json::read("{").is_err());
    assert_eq!(json::read("{}"), Err("'peers' is missing or no list".to_owned()));
    let strange = json::write(&sample()).replace("cpu_s_per_gib", "cpu_s_per_mib");
    let unknown = "'cpu_s_per_mib' is no metric of this version";
    let read = json::read(&strange).expect("the other rows");
    assert_eq!(read.not_run.iter().filter(|what| *what == unknown).count(), 1, "{:?}", read.not_run);
}

/// By hand: the logarithms have means 0.1 and 0.4, and these means variances 1/600 and 1/150; 4.41 degrees of freedom, of
/// which t lies between 2.776 and 2.571, and 0.3 is 3.29 times the error.
#[test]
fn a_trend_is_judged_by_the_noise_of_both_runs() {
    let values = |logs: [f64; 4]| logs.map(f64::exp);
    let (before, after) = (values([0.0, 0.1, 0.2, 0.1]), values([0.2, 0.6, 0.4, 0.4]));
    let Trend { ratio, interval: (low, high), chance } =
        stats::trend(&before, &after).expect("enough of both");
    assert_eq!(format!("{ratio:.4} {low:.2}-{high:.2} {chance:.2}"), "1.3499 1.06-1.72 0.03");
    let steady = stats::trend(&[2.0; 4], &[3.0; 4]).expect("enough of both");
    assert_eq!((steady.interval.1 - steady.interval.0, steady.chance), (0.0, 0.0));
    assert_eq!(stats::trend(&before[..1], &after), None);
    assert_eq!(stats::trend(&before, &[]), None);
    assert_eq!(stats::trend(&before, &[1.0, 0.0, 1.0, 1.0]), None, "no ratio of nothing");
}

/// So many rounds on a host whose speed changes by half from one to the next; values of all proxies times `host`, of Pronk
/// times `own` besides.
fn run(rounds: usize, host: f64, own: f64) -> Report {
    let mut report = Report {
        environment: vec![
            ("pronk".to_owned(), "pronk 0.1.0, build 1".to_owned()),
            ("nginx".to_owned(), "nginx 9, build 2".to_owned()),
        ],
        peers: ["pronk", "haproxy-copy", "nginx"].map(str::to_owned).to_vec(),
        ..Report::default()
    };
    for (round, speed) in [1.0, 1.5, 1.1, 1.4, 1.0].into_iter().enumerate().take(rounds) {
        for (peer, level) in [10.0, 20.0, 15.0].into_iter().enumerate() {
            let noise = 1.0 + 0.01 * ((round + 2 * peer) % 4) as f64;
            let value = level * speed * noise * host * if peer == 0 { own } else { 1.0 };
            report.add("trip-200-1", Metric::CpuPerTrip, peer, round, value);
            report.add("trip-200-1", Metric::TripRate, peer, round, value);
            report.add("trip-200-1", Metric::LoadBusy, peer, round, value);
        }
    }
    report
}

/// Pronk's verdicts on its cost, of which less is better, and on its rate.
fn verdicts(before: &Report, after: &Report) -> [Verdict; 2] {
    let changes = diff::changes(before, after);
    let of_pronk: Vec<Verdict> =
        changes.iter().filter(|change| change.peer == "pronk").map(|change| change.verdict).collect();
    of_pronk.try_into().expect("two judged rows")
}

#[test]
fn what_the_host_changed_is_no_change_of_pronk() {
    let before = run(5, 1.0, 1.0);
    assert_eq!(verdicts(&before, &run(5, 1.0, 1.0)), [Verdict::Noise; 2]);
    assert_eq!(verdicts(&before, &run(5, 2.0, 1.0)), [Verdict::Noise; 2], "the control changed as much");
    assert_eq!(verdicts(&before, &run(5, 2.0, 0.9)), [Verdict::Better, Verdict::Worse]);
    assert_eq!(verdicts(&before, &run(5, 0.5, 1.1)), [Verdict::Worse, Verdict::Better]);
    let change = diff::changes(&before, &run(5, 2.0, 0.9)).remove(0);
    assert_eq!((number::percent(change.change), change.peer.as_str()), ("+80.0 %".to_owned(), "pronk"));
    assert_eq!(change.control.map(number::percent).as_deref(), Some("+100.0 %"));
    let (own, (low, high)) = change.own.expect("five rounds");
    assert_eq!(number::percent(own), "-10.0 %");
    assert!((-15.0..-10.0).contains(&low) && (-10.0..-5.0).contains(&high), "{low} {high}");
}

#[test]
fn change_is_not_judged_by_a_few_rounds() {
    assert_eq!(verdicts(&run(3, 1.0, 1.0), &run(5, 1.0, 9.0)), [Verdict::TooFew; 2]);
    assert_eq!(verdicts(&run(5, 1.0, 1.0), &run(3, 1.0, 9.0)), [Verdict::TooFew; 2]);
    assert_eq!(verdicts(&run(4, 1.0, 1.0), &run(4, 1.0, 9.0)), [Verdict::Worse, Verdict::Better]);
    let text = diff::text(&run(1, 1.0, 1.0), &run(1, 1.0, 9.0));
    assert!(text.contains("-  too few rounds to judge\n"), "{text}");
}

#[test]
fn only_the_same_build_is_a_control() {
    let (before, mut after) = (run(5, 1.0, 1.0), run(5, 1.0, 1.0));
    let text = |after: &Report| diff::text(&before, after);
    assert!(text(&after).contains("Control: haproxy-copy, nginx, the same in both runs"), "{}", text(&after));
    assert!(text(&after).contains("pronk: the same in both, pronk 0.1.0, build 1\n"), "{}", text(&after));
    after.environment[0].1 = "pronk 0.1.0, build 7".to_owned();
    after.environment[1].1 = "nginx 9, build 8".to_owned();
    let said = text(&after);
    assert!(said.starts_with("pronk: pronk 0.1.0, build 1 -> pronk 0.1.0, build 7\nnginx: "), "{said}");
    assert!(said.contains("Control: haproxy-copy, the same"), "{said}");
    let peers: Vec<String> = diff::changes(&before, &after).into_iter().map(|change| change.peer).collect();
    assert_eq!(peers, ["pronk", "nginx", "pronk", "nginx"], "another build is judged as Pronk is");
    after.environment.push(("haproxy-copy".to_owned(), "of unknown age".to_owned()));
    let said = text(&after);
    assert!(
        said.contains("No control, since haproxy-copy, nginx are not known to be the same build"),
        "{said}"
    );
    after.peers[1..].iter_mut().for_each(|name| name.push('2'));
    let said = text(&after);
    assert!(said.contains("No control, since no other proxy ran in both: the host's own change"), "{said}");
}

#[test]
fn a_control_that_misses_a_round_is_none_in_its_row() {
    let (before, mut after) = (run(5, 1.0, 1.0), run(5, 2.0, 1.0));
    let without = |rounds: &Rounds, missing: usize| -> Rounds {
        rounds.iter().enumerate().map(|(round, value)| value.filter(|_| round != missing)).collect()
    };
    after.rows[0].values[1] = without(&after.rows[0].values[1], 1);
    assert_eq!(verdicts(&before, &after), [Verdict::Noise; 2], "nginx is left");
    after.rows[0].values[2] = without(&after.rows[0].values[2], 2);
    let changes = diff::changes(&before, &after);
    assert_eq!(
        (changes[0].control, changes[0].verdict),
        (None, Verdict::Worse),
        "the host's change is in it"
    );
    assert_eq!(changes[1].verdict, Verdict::Noise, "another row");
    after.rows[0].values[0] = without(&after.rows[0].values[0], 1);
    assert_eq!(verdicts(&before, &after)[0], Verdict::Noise, "Pronk has no value there either");
}

#[test]
fn change_compares_only_what_both_have() {
    let (mut before, after) = (run(5, 1.0, 1.0), run(5, 1.0, 1.0));
    before.rows.retain(|row| row.metric == Metric::TripRate);
    let text = diff::text(&before, &after);
    assert_eq!(text.matches("trip-200-1").count(), 1, "{text}");
    assert!(text.ends_with("only after: metrics proxy CPU, us/trip\n"), "{text}");
    before.rows.clear();
    assert!(diff::text(&before, &after).contains("no row in common"));
}

#[test]
fn what_is_missing_is_said_of_both_runs() {
    let (mut before, mut after) = (run(5, 1.0, 1.0), run(5, 1.0, 1.0));
    before.not_run.push("idle-100k: too few descriptors".to_owned());
    before.add("bulk-1", Metric::Gbps, 0, 0, 9.0);
    after.add("short", Metric::CpuPerConnection, 0, 0, 9.0);
    after.add("trip-200-1", Metric::SyscallsPerUnit, 0, 0, 2.0);
    after.rows[0].values[2] = Rounds::default();
    after.peers[1] = "envoy".to_owned();
    let text = diff::text(&before, &after);
    let expected = "before: NOT RUN: idle-100k: too few descriptors\n\
                    only before: proxies haproxy-copy\n\
                    only before: workloads bulk-1\n\
                    only before: trip-200-1, proxy CPU, us/trip: nginx\n\
                    only after: proxies envoy\n\
                    only after: workloads short\n\
                    only after: metrics system calls per unit\n";
    assert!(text.ends_with(expected), "{text}");
    assert!(!diff::is_worse(&before, &after), "nothing that was measured was lost");
}

#[test]
fn a_failure_that_is_new_is_worse() {
    let (mut before, mut after) = (run(5, 1.0, 1.0), run(5, 1.0, 1.0));
    let failure = |round: usize, why: &str| format!("round {round}/5, mixed, pronk: {why}");
    before.failures.push(failure(2, "it ended"));
    after.failures.push(failure(4, "nothing completed"));
    assert!(!diff::is_worse(&before, &after), "one of each");
    assert!(diff::is_worse(&run(5, 1.0, 1.0), &after));
    after.failures.push(failure(5, "nothing completed"));
    assert!(diff::is_worse(&before, &after));
    let text = diff::text(&before, &after);
    let expected = "before: NOT MEASURED: round 2/5, mixed, pronk: it ended\n\
                    after: NOT MEASURED: round 4/5, mixed, pronk: nothing completed\n\
                    after: worse, NOT MEASURED: round 5/5, mixed, pronk: nothing completed\n";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn only_pronk_makes_a_run_worse_and_only_by_what_is_no_chance() {
    let (before, mut after) = (run(5, 1.0, 1.0), run(5, 1.0, 1.0));
    assert!(!diff::is_worse(&before, &after));
    assert!(diff::is_worse(&before, &run(5, 1.0, 1.3)));
    let slightly = run(5, 1.0, 1.019);
    assert_eq!(verdicts(&before, &slightly)[0], Verdict::Worse);
    assert!(!diff::is_worse(&before, &slightly), "nobody would notice");
    let mut lost = run(5, 1.0, 1.0);
    lost.failures.push("round 4/5, idle, nginx: it ended".to_owned());
    assert!(!diff::is_worse(&before, &lost), "another proxy's");
    after.environment[1].1 = "nginx 9, build 8".to_owned();
    after.rows[0].values[2] = after.rows[0].values[2].iter().map(|value| Some(value? * 9.0)).collect();
    assert_eq!(diff::changes(&before, &after)[1].verdict, Verdict::Worse);
    assert!(!diff::is_worse(&before, &after));
}

#[test]
fn every_metric_is_known_by_its_id() {
    for metric in Metric::ALL {
        assert_eq!(Metric::from_id(metric.id()), Some(*metric));
    }
    assert_eq!(Metric::from_id("nothing"), None);
}

#[test]
fn aims_are_set_for_the_right_rows() {
    assert_eq!(target::target("bulk-64", Metric::CpuPerGib), Some(2.0));
    assert_eq!(target::target("paced-1", Metric::Gbps), None);
    assert_eq!(target::target("trip-200-1", Metric::CpuPerTrip), None);
    assert_eq!(
        target::target("trip-200-512", Metric::CpuPerTrip).map(number::times).as_deref(),
        Some("1.67x")
    );
    assert_eq!(target::target("mixed", Metric::P99), Some(2.0));
    assert_eq!(target::target("mixed-full", Metric::P99), None);
}

#[test]
fn more_cores_are_reckoned_from_what_one_worker_needs() {
    let mut report = sample();
    assert!(scale::lines(&report).is_empty(), "no constant is invented");
    report.peers.push("pronk-two".to_owned());
    report.rows.iter_mut().for_each(|row| row.values.push(Rounds::default()));
    let constants = [
        ("short", Metric::CpuPerConnection, 50.0),
        ("trip-200-64", Metric::CpuPerTrip, 10.0),
        ("bulk-64", Metric::CpuPerGib, 0.1),
        ("idle", Metric::ResidentPerSession, 0.25),
        ("short", Metric::Resident, 10.0),
        ("trip-200-64", Metric::Resident, 11.0),
        ("bulk-64", Metric::Resident, 135.0),
    ];
    constants.iter().for_each(|&(workload, metric, value)| report.add(workload, metric, 0, 0, value));
    let line = |report: &Report, cores: &str| {
        let lines = scale::lines(report);
        let line = lines.iter().find(|line| line.trim_start().starts_with(cores)).expect("a line");
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line(&report, "8 "), ["8", "7", "140000", "700000", "601", "70000", "962"]);
    assert_eq!(line(&report, "128 "), ["128", "112", "2240000", "11200000", "9621", "1120000", "15393"]);
    // Two workers that cost a tenth more: paid with each doubling. Kernel memory counts when it is known.
    report.add("trip-200-64", Metric::CpuPerTrip, 4, 0, 11.0);
    report.add("idle", Metric::SlabPerSession, 0, 0, 15.75);
    assert_eq!(line(&report, "16 "), ["16", "14", "194788", "973938", "837", "140000", "4078"]);
    assert!(table::text(&report).contains("What more cores would carry"));
    assert!(table::markdown(&report, &[]).contains("## What more cores would carry"));
}

/// As perf prints them: in a send; interrupted while it ran its own code; asleep; in its own code; between two calls.
const CHAINS: &str = "pronk 7 \n\tffffffff81 tcp_ack\n\tffffffff82 net_rx_action\n\tffffffff83 handle_softirqs\n\
                      \tffffffff84 tcp_sendmsg\n\tffffffff85 io_send\n\tffffffff86 entry_SYSCALL_64_after_hwframe\n\n\
                      pronk 7 \n\tffffffff82 net_rx_action\n\tffffffff83 handle_softirqs\n\tffffffff87 sysvec_apic\n\n\
                      pronk 7 \n\tffffffff88 finish_task_switch\n\tffffffff89 schedule\n\tffffffff8a io_cqring_wait\n\n\
                      pronk 8 \n\npronk 7 \n\tffffffff8b do_syscall_64\n\n";

#[test]
fn an_account_goes_by_the_function_nearest_the_system_call() {
    let account = Account::read(CHAINS);
    let kinds = [Kind::Send, Kind::Interrupts, Kind::Waiting, Kind::Own, Kind::Calls];
    kinds.into_iter().for_each(|kind| assert_eq!(account.percent(kind), Some(20.0), "{kind:?}"));
    assert_eq!(account.percent(Kind::Splice), Some(0.0));
    assert_eq!(account.sockets(), Some(40.0), "the send and what arrived");
    assert!(account.lines().contains(" 20.0 %  sending\n"), "{}", account.lines());
    assert!(!account.lines().contains("splice"), "{}", account.lines());
    assert_eq!(Account::read("").sockets(), None);
}

#[test]
fn what_is_possible_is_what_the_sockets_leave() {
    let mut report = sample();
    let row = report.row("bulk-1", Metric::CpuPerGib).expect("there is one").clone();
    assert_eq!(report.possible(&row), None, "nobody looked");
    report.add("bulk-1", Metric::Sockets, 0, 0, 80.0);
    let possible = report.possible(&row).expect("pronk's share is known");
    assert!((possible - 2.5 / 0.8).abs() < 1e-9, "{possible}");
    let fast = report.row("bulk-1", Metric::Gbps).expect("there is one").clone();
    assert_eq!(report.possible(&fast), None, "the load may be what limits it");
    report.add("bulk-1", Metric::ProxyBusy, 0, 0, 99.0);
    let possible = report.possible(&fast).expect("the proxy is");
    assert!((possible - 1.5 / 0.8).abs() < 1e-9, "{possible}");
    let busy = report.row("short", Metric::LoadBusy).expect("there is one").clone();
    assert_eq!(report.possible(&busy), None, "no cost");
    assert!(table::text(&report).contains("2.00x met"));
    [0.1, 0.2, 0.125].into_iter().enumerate().for_each(|(peer, cost)| {
        report.add("bulk-4", Metric::CpuPerGib, peer, 0, cost);
    });
    report.add("bulk-4", Metric::Sockets, 0, 0, 80.0);
    assert!(table::text(&report).contains("2.00x missed, 1.56x possible"), "{}", table::text(&report));
}

#[test]
fn a_plot_that_cannot_be_drawn_costs_nothing_but_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("bulk-cpu_s_per_gib.svg")).expect("a folder in the way");
    output::publish(&sample(), folder.path()).expect("the rest is written");
    let text = |name: &str| fs::read_to_string(path(name)).expect("it is written");
    assert_eq!(json::read(&text("compare.json")), Ok(sample()));
    assert!(text("bulk-gbit_per_s.svg").contains("nginx"));
    assert!(text("compare.md").contains("![bulk-gbit_per_s.svg]"), "{}", text("compare.md"));
    assert!(!text("compare.md").contains("![bulk-cpu_s_per_gib.svg]"), "{}", text("compare.md"));
}

#[test]
fn the_run_before_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    output::publish(&run(5, 1.0, 1.0), folder.path()).expect("it is written");
    let day = std::time::Duration::from_secs(86_400);
    let file = fs::File::options().append(true).open(path("compare.json")).expect("it is there");
    file.set_modified(std::time::UNIX_EPOCH + 365 * day).expect("its owner may");
    output::publish(&run(4, 1.0, 1.0), folder.path()).expect("it is written");
    let names = fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.file_name());
    let kept: Vec<String> = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with("compare-") && name.ends_with(".json"))
        .collect();
    // The first of January, but for a day where the time zone is behind.
    assert!(matches!(kept.as_slice(), [name] if name.starts_with("compare-197")), "{kept:?}");
    let read = |name: &str| json::read(&fs::read_to_string(path(name)).expect("it is there"));
    let rounds =
        |report: Result<Report, String>| report.map(|report| report.rows[0].values[0].values().len());
    assert_eq!((rounds(read(&kept[0])), rounds(read("compare.json"))), (Ok(5), Ok(4)));
}
