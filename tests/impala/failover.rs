//! Coordinators that stop while queries run, and come back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Gateway;
use crate::clients::Clients;
use crate::spark::{Spark, warm};
use crate::support::wait_for;

const NOTICED: Duration = Duration::from_secs(30);

/// One query of the loop.
#[derive(Debug)]
struct Query {
    begun: f64,
    ended: f64,
    /// The coordinator that answered, or why none did.
    outcome: Result<String, String>,
}

fn query(line: &str) -> Query {
    let mut words = line.splitn(4, ' ');
    let mut time =
        || words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no query: {line}"));
    let (begun, ended) = (time(), time());
    let outcome = match (words.next(), words.next()) {
        (Some("ok"), Some(name)) => Ok(name.to_owned()),
        (_, why) => Err(why.unwrap_or_default().to_owned()),
    };
    Query { begun, ended, outcome }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// Lets the loop go on until this many more seconds of queries lie behind.
fn let_queries_run(seconds: f64) -> (f64, f64) {
    let begun = now();
    wait_for(Duration::from_secs(60), || (now() >= begun + seconds).then_some(()));
    (begun, now())
}

fn await_change(gateway: &mut Gateway, name: &str, state: &str) -> f64 {
    let wanted = format!("impala/{name} is {state}");
    let noticed = gateway.log.line_where(NOTICED, |line| line.contains(&wanted));
    assert!(noticed.is_some(), "the log says that {wanted}");
    now()
}

/// Two of three coordinators go, one after the other, and come back. No query is lost but those that
/// ran on a coordinator at the moment it went.
pub fn loses_no_query(servers: &mut [Spark]) {
    let mut gateway = Gateway::start("roundrobin", servers);
    let mut queries = Clients::start();
    queries.tell(&format!("loop {}", gateway.port()));
    let mut gone = Vec::new();
    let (all, _) = let_queries_run(5.0);
    for (index, name) in [(0, "coord1"), (1, "coord2")] {
        let going = now();
        // The first is asked to end, the second crashes.
        if index == 0 {
            servers[index].stop()
        } else {
            servers[index].kill()
        }
        gone.push((going, now()));
        await_change(&mut gateway, name, "DOWN");
        let_queries_run(3.0);
    }
    let (alone, alone_until) = let_queries_run(3.0);
    for index in [0, 1] {
        servers[index] = Spark::again(&servers[index]);
        await_change(&mut gateway, &servers[index].name.clone(), "UP");
    }
    warm(&servers.iter().collect::<Vec<_>>());
    let (back, back_until) = let_queries_run(5.0);
    let done: Vec<Query> = queries.finish().iter().map(|line| query(line)).collect();
    report(&done);
    assert_eq!(
        lost(&done, &gone),
        Vec::<String>::new(),
        "queries that did not run on a coordinator as it went"
    );
    assert_eq!(answering(&done, alone, alone_until), ["coord3"]);
    assert_eq!(answering(&done, back, back_until), ["coord1", "coord2", "coord3"]);
    assert_eq!(answering(&done, all, gone[0].0), ["coord1", "coord2", "coord3"]);
}

fn report(done: &[Query]) {
    let failed: Vec<&Query> = done.iter().filter(|query| query.outcome.is_err()).collect();
    println!("failover: {} queries, {} cut off with their coordinator: {failed:?}", done.len(), failed.len());
}

/// Failures of queries that had not begun before a coordinator went, or had ended by then.
fn lost(done: &[Query], gone: &[(f64, f64)]) -> Vec<String> {
    let cut_off = |query: &Query| gone.iter().any(|(from, to)| query.begun < *to && query.ended > *from);
    let failed = done.iter().filter(|query| query.outcome.is_err() && !cut_off(query));
    failed.map(|query| format!("{query:?}")).collect()
}

/// The coordinators that answered queries begun and ended between these times, sorted.
fn answering(done: &[Query], from: f64, to: f64) -> Vec<String> {
    let during = done.iter().filter(|query| query.begun >= from && query.ended <= to);
    let mut names: Vec<String> = during.filter_map(|query| query.outcome.clone().ok()).collect();
    names.sort();
    names.dedup();
    names
}
