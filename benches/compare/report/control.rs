//! The control of two runs: proxies that are the same in both, whose change is the host's.

use super::rounds::Rounds;
use super::{Report, Row};

/// What changes the proxies by more than the host, and not all alike.
const SETUP: [&str; 6] =
    ["congestion control", "idle", "cores", "logs", "checks of servers", "steady interval"];

/// Those of the other proxies that both runs, if they were set up alike, have in the same build and mode.
pub fn names<'a>(before: &Report, after: &'a Report) -> Vec<&'a str> {
    if !differing(before, after).is_empty() {
        return Vec::new();
    }
    let shared = shared_rivals(before, after);
    shared.filter(|name| before.environment(name) == after.environment(name)).collect()
}

/// What the control is, or why there is none, in a sentence.
pub fn sentence(before: &Report, after: &Report) -> String {
    let names = names(before, after);
    if !names.is_empty() {
        return format!(
            "Control: {}, the same in both runs: what they changed by, the host did, and it is taken out of the \
             change of the others.",
            names.join(", ")
        );
    }
    let others: Vec<&str> = shared_rivals(before, after).collect();
    let differing = differing(before, after);
    let why = if others.is_empty() {
        "no other proxy ran in both".to_owned()
    } else if !differing.is_empty() {
        format!("the runs were set up differently ({})", differing.join(", "))
    } else {
        format!("{} are not known to be the same build in both", others.join(", "))
    };
    format!("No control, since {why}: the host's own change is contained in every change.")
}

fn differing(before: &Report, after: &Report) -> Vec<&'static str> {
    SETUP.into_iter().filter(|name| before.environment(name) != after.environment(name)).collect()
}

fn shared_rivals<'a>(before: &Report, after: &'a Report) -> impl Iterator<Item = &'a str> {
    let shared = after.peers.iter().filter(|name| before.peers.contains(name));
    shared.map(String::as_str).filter(|name| !name.starts_with("pronk"))
}

/// The control's values of one row in one run.
pub struct Control<'a>(Vec<&'a Rounds>);

impl<'a> Control<'a> {
    /// Of `names`, those that have a value above zero in each round in which the judged proxy has one, in both runs: their
    /// level must not depend on the round.
    pub fn of_row(
        names: &[&str],
        [before, after]: [(&'a Report, &'a Row); 2],
        [was, is]: [&Rounds; 2],
    ) -> [Control<'a>; 2] {
        let complete = |judged: &Rounds, rounds: &Rounds| {
            judged.values().len() == judged.pairs(rounds).iter().filter(|(_, value)| *value > 0.0).count()
        };
        let both = |name: &&str| {
            let pair = (before.0.rounds(before.1, name)?, after.0.rounds(after.1, name)?);
            (complete(was, pair.0) && complete(is, pair.1)).then_some(pair)
        };
        let (old, new) = names.iter().filter_map(both).unzip();
        [Control(old), Control(new)]
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In each round in which `judged` has a value, that value and the control's, the geometric mean of its proxies; 1
    /// without any.
    pub fn beside(&self, judged: &Rounds) -> Vec<(f64, f64)> {
        let level = |round: usize| {
            let logs = self.0.iter().filter_map(|rounds| Some(rounds.iter().nth(round)??.ln()));
            (logs.sum::<f64>() / self.0.len().max(1) as f64).exp()
        };
        let numbered = judged.iter().enumerate();
        numbered.filter_map(|(round, value)| Some((value?, level(round)))).collect()
    }
}
