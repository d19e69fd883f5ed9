//! What happened between two samples.

use std::collections::HashMap;
use std::time::Duration;

use super::sample::{Row, Sample};

/// Per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rate {
    pub(super) sessions: f64,
    pub(super) bytes_in: f64,
    pub(super) bytes_out: f64,
}

/// Rates by proxy and name; a row that is new, or whose process is, has none.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates(HashMap<(String, String), Rate>);

impl Rates {
    pub(super) fn between(before: &Sample, now: &Sample, elapsed: Duration) -> Rates {
        if elapsed.is_zero() || before.text("Pid") != now.text("Pid") {
            return Rates::default();
        }
        let old: HashMap<_, _> = before.rows.iter().map(|row| (key(row), row)).collect();
        let rate = |row: &Row| Some((key(row), rate(old.get(&key(row))?, row, elapsed)?));
        Rates(now.rows.iter().filter_map(rate).collect())
    }

    pub(super) fn of(&self, row: &Row) -> Option<Rate> {
        self.0.get(&key(row)).copied()
    }
}

fn key(row: &Row) -> (String, String) {
    (row.proxy.clone(), row.name.clone())
}

/// None when a counter went back: it was cleared.
fn rate(before: &Row, now: &Row, elapsed: Duration) -> Option<Rate> {
    let per_second = |before: u64, now: u64| Some(now.checked_sub(before)? as f64 / elapsed.as_secs_f64());
    Some(Rate {
        sessions: per_second(before.total, now.total)?,
        bytes_in: per_second(before.bytes_in, now.bytes_in)?,
        bytes_out: per_second(before.bytes_out, now.bytes_out)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(pid: u32, rows: &str) -> Sample {
        let stat = format!("# pxname,svname,type,stot,bin,bout\n{rows}");
        Sample::parse(&format!("Pid: {pid}\n"), &stat).expect("a sample")
    }

    #[test]
    fn counters_become_rates_unless_they_or_the_process_began_anew() {
        let before = sample(1, "p,a,2,10,100,1000\np,b,2,10,100,1000\n");
        let now = sample(1, "p,a,2,14,300,1000\np,b,2,1,0,0\np,c,2,5,5,5\n");
        let rates = Rates::between(&before, &now, Duration::from_secs(2));
        let expected = Rate { sessions: 2.0, bytes_in: 100.0, bytes_out: 0.0 };
        assert_eq!(rates.of(&now.rows[0]), Some(expected));
        assert_eq!((rates.of(&now.rows[1]), rates.of(&now.rows[2])), (None, None));
        let successor = sample(2, "p,a,2,14,300,1000\n");
        assert_eq!(Rates::between(&before, &successor, Duration::from_secs(2)).of(&successor.rows[0]), None);
    }
}
