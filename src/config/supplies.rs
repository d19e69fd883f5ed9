//! What a configuration needs from outside: it names it, `process` fetches it, and parsing is done again with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::address::HostName;

/// What must be fetched before a configuration can be resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Host names to be looked up.
    pub hosts: BTreeSet<HostName>,
}

/// What was fetched.
#[derive(Clone, Debug, Default)]
pub struct Supplies {
    hosts: BTreeMap<HostName, Result<IpAddr, String>>,
    wants: Wants,
}

impl Supplies {
    /// Adds the answer for one host name: an address, or why there is none.
    pub fn add_host(&mut self, name: HostName, answer: Result<IpAddr, String>) {
        self.hosts.insert(name, answer);
    }

    /// The address of a host name; a name that nobody has looked up yet becomes a want and an error.
    pub fn host(&mut self, name: &HostName) -> Result<IpAddr, String> {
        match self.hosts.get(name) {
            Some(answer) => answer.clone(),
            None => {
                self.wants.hosts.insert(name.clone());
                Err("it was not looked up".to_owned())
            }
        }
    }

    /// What was asked for in vain.
    pub fn into_wants(self) -> Wants {
        self.wants
    }
}
