//! What the page's form asks for (`stats admin`): one action on servers of one backend, as the body of a POST.

use super::Site;
use super::exchange::Form;
use super::view::plain;
use crate::admin::command::{backend, end_of_server, server};
use crate::health::{Asker, Forced, Order, ServerChange, Service};
use crate::session::op::ServerId;
use crate::table::Snapshot;

/// How it went; HAProxy's letters behind `;st=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Every server that was named.
    All,
    /// Only some of them.
    Partly,
    /// There was nothing to do.
    Nothing,
    /// Names or words are wrong.
    Wrong,
    /// The body does not fit into a buffer.
    TooLong,
    /// Nobody may.
    Denied,
}

/// What is to be done to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Service(Service),
    /// Into maintenance or out of it, unless it is there already.
    Maintenance(bool),
    /// The same of draining.
    Draining(bool),
    Checks(bool),
    Health(Forced),
    /// Agents, of which there are none here.
    Agent,
    Shutdown,
}

/// A form that names its backend and an action.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    action: Action,
    servers: Vec<ServerId>,
    /// Whether one of the names is no server's.
    is_partial: bool,
}

impl Done {
    /// Each with its letters and with what the page says.
    const ALL: [(Done, &'static str, &'static str); 6] = [
        (Done::All, "DONE", "Action processed successfully."),
        (Done::Partly, "PART", "Action partially processed: some of the servers are unknown."),
        (Done::Nothing, "NONE", "Nothing has changed."),
        (
            Done::Wrong,
            "ERRP",
            "Action not processed because of invalid parameters: no such action or server.",
        ),
        (Done::TooLong, "EXCD", "Action not processed: the request is too large. Choose fewer servers."),
        (Done::Denied, "DENY", "Action denied: no 'stats admin' rule allows it."),
    ];

    /// `DONE`
    pub fn letters(self) -> &'static str {
        Done::ALL.iter().find(|(done, ..)| *done == self).map_or("UNKN", |(_, letters, _)| letters)
    }

    /// By its letters.
    pub fn of(letters: &str) -> Option<Done> {
        Done::ALL.iter().find(|(_, known, _)| *known == letters).map(|(done, ..)| *done)
    }

    /// What the page says of it.
    pub fn words(self) -> &'static str {
        Done::ALL.iter().find(|(done, ..)| *done == self).map_or("", |(.., words)| words)
    }
}

/// Does what a form asks for.
pub async fn follow(site: &Site, form: &Form) -> Done {
    let body = match form {
        Form::Whole(body) => body,
        Form::TooLong | Form::Unfinished => return Done::TooLong,
    };
    let table = site.shared.borrow().table.load_full();
    let wish = match Wish::read(&table, &String::from_utf8_lossy(body)) {
        Ok(wish) => wish,
        Err(done) => return done,
    };
    let mut changed = false;
    for &server in &wish.servers {
        changed |= act(site, server, wish.action).await;
    }
    match (wish.is_partial, changed) {
        (true, _) if wish.servers.is_empty() => Done::Wrong,
        (true, _) => Done::Partly,
        (false, true) => Done::All,
        (false, false) => Done::Nothing,
    }
}

/// Whether there was anything to do.
async fn act(site: &Site, server: ServerId, action: Action) -> bool {
    let admin = site.shared.borrow().table.load().server(server).1.state.admin;
    let change = match action {
        Action::Agent => return false,
        Action::Maintenance(on) if admin.maint == on => return false,
        Action::Draining(on) if admin.drain == on => return false,
        Action::Shutdown => {
            end_of_server(&site.crew, server).await;
            return true;
        }
        Action::Service(service) => ServerChange::State(service),
        Action::Maintenance(on) => ServerChange::Maintenance(on),
        Action::Draining(on) => ServerChange::Draining(on),
        Action::Checks(on) => ServerChange::Checks(on),
        Action::Health(forced) => ServerChange::Health(forced, Asker::Page),
    };
    site.health.order(Order::Server { server, change }).await.is_ok()
}

/// The actions of HAProxy's form, and four older ones that it still takes.
fn action(name: &str) -> Option<Action> {
    Some(match name {
        "ready" => Action::Service(Service::Ready),
        "drain" => Action::Service(Service::Drain),
        "maint" => Action::Service(Service::Maint),
        "dhlth" => Action::Checks(false),
        "ehlth" => Action::Checks(true),
        "hrunn" => Action::Health(Forced::Up),
        "hnolb" => Action::Health(Forced::Stopping),
        "hdown" => Action::Health(Forced::Down),
        "dagent" | "eagent" | "arunn" | "adown" => Action::Agent,
        "shutdown" => Action::Shutdown,
        "disable" => Action::Maintenance(true),
        "enable" => Action::Maintenance(false),
        "stop" => Action::Draining(true),
        "start" => Action::Draining(false),
        _ => return None,
    })
}

impl Wish {
    /// From `s=A&s=B&action=X&b=BACKEND` in any order. HAProxy begins at the end: the last mistake is the one
    /// that counts.
    fn read(table: &Snapshot, body: &str) -> Result<Wish, Done> {
        let config = &table.config;
        let (mut proxy, mut chosen, mut names) = (None, None, Vec::new());
        for pair in body.rsplit('&') {
            let Some((key, value)) = pair.split_once('=') else { continue };
            let value = plain(value);
            match key {
                "b" if proxy.is_none() => proxy = Some(backend(config, &value).ok_or(Done::Wrong)?),
                "action" if chosen.is_none() => chosen = Some(action(&value).ok_or(Done::Wrong)?),
                "s" => names.push(value),
                _ => {}
            }
        }
        let (Some(proxy), Some(action)) = (proxy, chosen) else { return Err(Done::Nothing) };
        let id = |at: u16| table.backend(proxy).servers[usize::from(at)].id;
        let servers: Vec<ServerId> =
            names.iter().filter_map(|name| server(config, proxy, name).map(id)).collect();
        let is_partial = servers.len() < names.len();
        Ok(Wish { action, servers, is_partial })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::shared;

    #[test]
    fn a_form_is_read_from_its_end() {
        let table = shared().borrow().table.load_full();
        let read = |body| Wish::read(&table, body);
        let wish = read("s=s1&s=s%32&action=maint&b=be").expect("whole");
        assert_eq!((wish.servers, wish.is_partial), (vec![ServerId(1), ServerId(0)], false));
        assert_eq!(wish.action, Action::Service(Service::Maint));
        assert!(read("s=s1&s=none&action=stop&b=b%65").is_ok_and(|wish| wish.is_partial));
        assert_eq!(read("b=be&action=maint&s=s1"), read("s=s1&action=maint&b=be"));
        for (body, done) in [
            ("", Done::Nothing),
            ("s=s1&b=be", Done::Nothing),
            ("s=s1&action=maint", Done::Nothing),
            ("s=s1&action=&b=be", Done::Wrong),
            ("s=s1&action=none&b=be", Done::Wrong),
            ("s=s1&action=maint&b=fe", Done::Wrong),
        ] {
            assert_eq!(read(body), Err(done), "{body}");
        }
    }

    #[test]
    fn letters_are_told_apart() {
        for (done, letters, words) in Done::ALL {
            assert_eq!((done.letters(), done.words(), Done::of(letters)), (letters, words, Some(done)));
        }
        assert_eq!(Done::of("done"), None);
    }
}
