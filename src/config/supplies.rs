//! What a configuration needs from outside: it names it, `process` fetches it, and parsing is done again with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::address::HostName;

/// What must be fetched before a configuration can be resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Host names to be looked up.
    pub hosts: BTreeSet<HostName>,
    /// User names.
    pub users: BTreeSet<String>,
    /// Group names.
    pub groups: BTreeSet<String>,
}

/// What was fetched.
#[derive(Clone, Debug, Default)]
pub struct Supplies {
    /// Addresses; an error says why there is none.
    pub hosts: Answers<HostName, IpAddr>,
    /// Uids; an error is `ERRNO:TEXT`, as HAProxy shows it.
    pub users: Answers<String, u32>,
    /// Gids, likewise.
    pub groups: Answers<String, u32>,
}

impl Supplies {
    /// Takes from `former` the answers that this has only an error for.
    pub fn fall_back_on(&mut self, former: &Supplies) {
        self.hosts.fall_back_on(&former.hosts);
        self.users.fall_back_on(&former.users);
        self.groups.fall_back_on(&former.groups);
    }

    /// What was asked for in vain.
    pub fn into_wants(self) -> Wants {
        Wants { hosts: self.hosts.missed, users: self.users.missed, groups: self.groups.missed }
    }
}

/// The answers to the questions of one kind.
#[derive(Clone, Debug)]
pub struct Answers<Q, A> {
    given: BTreeMap<Q, Result<A, String>>,
    missed: BTreeSet<Q>,
}

impl<Q, A> Default for Answers<Q, A> {
    fn default() -> Self {
        Answers { given: BTreeMap::new(), missed: BTreeSet::new() }
    }
}

impl<Q: Ord + Clone, A: Clone> Answers<Q, A> {
    /// Adds an answer, or why there is none.
    pub fn add(&mut self, question: Q, answer: Result<A, String>) {
        self.given.insert(question, answer);
    }

    fn fall_back_on(&mut self, former: &Answers<Q, A>) {
        for (question, answer) in self.given.iter_mut().filter(|(_, answer)| answer.is_err()) {
            if let Some(Ok(known)) = former.given.get(question) {
                *answer = Ok(known.clone());
            }
        }
    }

    /// The answer; a question that nobody has looked into yet becomes a want and an error.
    pub fn of(&mut self, question: &Q) -> Result<A, String> {
        self.given.get(question).cloned().unwrap_or_else(|| {
            self.missed.insert(question.clone());
            Err("not looked up".to_owned())
        })
    }
}
