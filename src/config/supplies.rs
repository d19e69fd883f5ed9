//! What a configuration needs from outside: it names it, `process` fetches it, and parsing is done again with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

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
    /// Names of files with the values of ACLs.
    pub files: BTreeSet<String>,
}

impl Wants {
    /// The names of all of it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let hosts = self.hosts.iter().map(|host| &host.name);
        hosts.chain(&self.users).chain(&self.groups).chain(&self.files).map(String::as_str)
    }
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
    /// Texts of files; an error says in HAProxy's words why there is none.
    pub files: Answers<String, Arc<str>>,
    /// `-dr`: a server whose name has no address starts in maintenance.
    pub skip_unresolved: bool,
}

impl Supplies {
    /// Takes from `former` the answers that this has not, or has only an error for.
    pub fn fall_back_on(&mut self, former: &Supplies) {
        self.hosts.fall_back_on(&former.hosts);
        self.users.fall_back_on(&former.users);
        self.groups.fall_back_on(&former.groups);
        self.files.fall_back_on(&former.files);
    }

    /// Takes the addresses of names from `former` that nobody knows now. Answers which names these are, why nobody
    /// does, and their addresses.
    pub fn keep_addresses(&mut self, former: &Supplies) -> Vec<(HostName, String, IpAddr)> {
        self.hosts.keep(&former.hosts)
    }

    /// What was asked for in vain.
    pub fn into_wants(self) -> Wants {
        let Supplies { hosts, users, groups, files, .. } = self;
        Wants { hosts: hosts.missed, users: users.missed, groups: groups.missed, files: files.missed }
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
    /// All answers, in their questions' order.
    pub fn given(&self) -> impl Iterator<Item = (&Q, &Result<A, String>)> {
        self.given.iter()
    }

    /// Adds an answer, or why there is none.
    pub fn add(&mut self, question: Q, answer: Result<A, String>) {
        self.given.insert(question, answer);
    }

    /// What a file asks for that only `former` could read was not asked: its answers come from there too.
    fn fall_back_on(&mut self, former: &Answers<Q, A>) {
        for (question, known) in &former.given {
            let answer = self.given.entry(question.clone()).or_insert_with(|| known.clone());
            if answer.is_err() && known.is_ok() {
                *answer = known.clone();
            }
        }
    }

    /// Puts what `former` knew in the place of every error. Which questions these are, the errors, and what is known.
    fn keep(&mut self, former: &Answers<Q, A>) -> Vec<(Q, String, A)> {
        let mut kept = Vec::new();
        for (question, answer) in &mut self.given {
            let Some(Ok(known)) = former.given.get(question) else { continue };
            if let Err(why) = answer {
                kept.push((question.clone(), std::mem::take(why), known.clone()));
                *answer = Ok(known.clone());
            }
        }
        kept
    }

    /// The answer; `meanwhile`, before anybody has looked into the question. So a line that asks for one thing
    /// after the other asks for everything at once.
    pub fn of_or(&mut self, question: &Q, meanwhile: A) -> Result<A, String> {
        let known = self.given.contains_key(question);
        let answer = self.of(question);
        if known { answer } else { Ok(meanwhile) }
    }

    /// The answer; a question that nobody has looked into yet becomes a want and an error.
    pub fn of(&mut self, question: &Q) -> Result<A, String> {
        self.given.get(question).cloned().unwrap_or_else(|| {
            self.missed.insert(question.clone());
            Err("not looked up".to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was known once.
    fn former() -> Answers<&'static str, i32> {
        let mut former = Answers::default();
        former.add("failed now", Ok(1));
        former.add("not asked now", Ok(2));
        former.add("known now", Ok(3));
        former.add("never known", Err("no".to_owned()));
        former
    }

    #[test]
    fn what_is_not_known_or_unknown_is_taken_from_the_former_answers() {
        let former = former();
        let mut answers = Answers::default();
        answers.add("failed now", Err("gone".to_owned()));
        answers.add("known now", Ok(4));
        answers.fall_back_on(&former);
        let all = ["failed now", "not asked now", "known now", "never known"].map(|q| answers.of_or(&q, 0));
        assert_eq!(all, [Ok(1), Ok(2), Ok(4), Err("no".to_owned())]);
    }

    #[test]
    fn what_was_asked_in_vain_is_kept_and_told() {
        let former = former();
        let mut answers = Answers::default();
        answers.add("failed now", Err("gone".to_owned()));
        answers.add("known now", Ok(4));
        answers.add("never known", Err("still not".to_owned()));
        assert_eq!(answers.keep(&former), [("failed now", "gone".to_owned(), 1)]);
        let all: Vec<_> = answers.given().map(|(question, answer)| (*question, answer.clone())).collect();
        let never = Err("still not".to_owned());
        assert_eq!(all, [("failed now", Ok(1)), ("known now", Ok(4)), ("never known", never)]);
    }
}
