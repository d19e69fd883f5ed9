//! What one stand-in coordinator knows: its sessions, its queries, its counts.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use super::handle::{Guid, Handle};
use super::query::{Query, QueryState};
use super::statement::{Effect, Place, Statement};

/// More open sessions or queries than this are refused.
const OPEN_MAX: usize = 10_000;
/// Completed queries that are remembered (`--query_log_size`).
const COMPLETED_MAX: usize = 200;
/// A HiveServer2 session outlives its connection; this long unused it is forgotten
/// (`--disconnected_session_timeout`, 15 minutes).
const SESSION_IDLE: Duration = Duration::from_secs(15 * 60);
const SHUTTING_DOWN: &str = "Server is being shut down: new sessions and queries are refused.";
const INVALID_SESSION: &str = "Invalid session id";

pub(super) const VERSION: &str =
    concat!("impalad version 0.0.0-STANDIN (Pronk ", env!("CARGO_PKG_VERSION"), ", not Apache Impala)");

/// Stand-ins begun in this process so far.
static STARTED: AtomicI64 = AtomicI64::new(0);

/// Coordinators that know of each other, as members of one Impala cluster do: `/backends` lists them all.
#[derive(Clone, Default)]
pub struct Cluster(Arc<Mutex<Vec<Weak<Coordinator>>>>);

impl Cluster {
    pub(super) fn join(&self, coordinator: &Arc<Coordinator>) {
        let mut members = lock(&self.0);
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(coordinator));
    }

    pub(super) fn members(&self) -> Vec<Arc<Coordinator>> {
        lock(&self.0).iter().filter_map(Weak::upgrade).filter(|member| !member.state().stopping).collect()
    }
}

/// Through which port a session came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Beeswax,
    HiveServer2,
}

pub(super) struct Session {
    secret: Guid,
    pub(super) protocol: Protocol,
    pub(super) user: String,
    pub(super) client: String,
    pub(super) since: SystemTime,
    pub(super) used: SystemTime,
    pub(super) total_queries: u64,
}

/// What changes; behind one lock.
pub(super) struct State {
    pub(super) sessions: HashMap<Guid, Session>,
    pub(super) queries: HashMap<Guid, Query>,
    /// The last closed ones, for `profile` and `summary` (Impala's query log).
    pub(super) completed: VecDeque<(Guid, Query)>,
    pub(super) calls: BTreeMap<String, u64>,
    pub(super) total_queries: u64,
    pub(super) healthy: bool,
    /// Graceful shutdown: what runs goes on, new sessions and queries are refused.
    pub(super) shutting_down: bool,
    stopping: bool,
}

/// The addresses of its three ports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) beeswax: SocketAddr,
    pub(super) hs2: SocketAddr,
    pub(super) web: SocketAddr,
}

pub(super) struct Coordinator {
    pub(super) name: String,
    pub(super) pid: i64,
    pub(super) id: Guid,
    pub(super) addresses: Addresses,
    pub(super) started: Instant,
    pub(super) cluster: Cluster,
    state: Mutex<State>,
    changed: Condvar,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Coordinator {
    pub(super) fn new(name: &str, addresses: Addresses, cluster: Cluster) -> Arc<Coordinator> {
        let state = State {
            sessions: HashMap::new(),
            queries: HashMap::new(),
            completed: VecDeque::new(),
            calls: BTreeMap::new(),
            total_queries: 0,
            healthy: true,
            shutting_down: false,
            stopping: false,
        };
        let coordinator = Arc::new(Coordinator {
            name: name.to_owned(),
            // Several stand-ins share one process; their answers to pid() must still tell them apart.
            pid: i64::from(std::process::id()) + STARTED.fetch_add(1, Ordering::Relaxed),
            id: Guid::random(),
            addresses,
            started: Instant::now(),
            cluster,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        coordinator.cluster.join(&coordinator);
        coordinator
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn web_url(&self) -> String {
        format!("http://{}", self.addresses.web)
    }

    pub(super) fn count_call(&self, method: &str) {
        *self.state().calls.entry(method.to_owned()).or_default() += 1;
    }

    /// Wakes whoever waits for a query.
    pub(super) fn stop(&self) {
        self.state().stopping = true;
        self.changed.notify_all();
    }

    pub(super) fn open_session(
        &self,
        protocol: Protocol,
        user: &str,
        client: &str,
    ) -> Result<Handle, String> {
        let mut state = self.state();
        // A Beeswax session is its connection: graceful shutdown still accepts it, and refuses its queries.
        if state.shutting_down && protocol == Protocol::HiveServer2 {
            return Err(SHUTTING_DOWN.to_owned());
        }
        state.forget_idle_sessions();
        if state.sessions.len() >= OPEN_MAX {
            return Err(format!("Too many sessions: {OPEN_MAX} are open"));
        }
        let handle = Handle::random();
        let now = SystemTime::now();
        let session = Session {
            secret: handle.secret,
            protocol,
            user: user.to_owned(),
            client: client.to_owned(),
            since: now,
            used: now,
            total_queries: 0,
        };
        state.sessions.insert(handle.guid, session);
        Ok(handle)
    }

    /// With everything it has open.
    pub(super) fn close_session(&self, handle: Handle) -> Result<(), String> {
        let mut state = self.state();
        state.session(handle)?;
        state.sessions.remove(&handle.guid);
        let open = |(guid, query): (&Guid, &Query)| (query.session == handle.guid).then_some(*guid);
        let queries: Vec<Guid> = state.queries.iter().filter_map(open).collect();
        for guid in queries {
            state.complete(guid);
        }
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    pub(super) fn check_session(&self, handle: Handle) -> Result<(), String> {
        self.state().session(handle).map(|_| ())
    }

    /// Begins a statement; its name and whether it has a result set.
    pub(super) fn execute(&self, handle: Handle, text: &str) -> Result<(Guid, bool), String> {
        let mut state = self.state();
        let shutting_down = state.shutting_down && !text.trim_start().starts_with(':');
        let full = state.queries.len() >= OPEN_MAX;
        let session = state.session(handle)?;
        if shutting_down {
            return Err(SHUTTING_DOWN.to_owned());
        }
        if full {
            return Err(format!("Too many queries: {OPEN_MAX} are open"));
        }
        let place = Place {
            coordinator: &self.name,
            version: VERSION,
            pid: self.pid,
            client: &session.client,
            user: &session.user,
        };
        let statement = Statement::parse(text, place)?;
        if statement.effect == Effect::Shutdown {
            state.shutting_down = true;
        }
        Ok(self.register(&mut state, handle.guid, text, statement))
    }

    fn register(&self, state: &mut State, session: Guid, text: &str, statement: Statement) -> (Guid, bool) {
        let guid = Guid::random();
        let has_rows = !statement.columns.is_empty();
        let user = state.sessions.get_mut(&session).map(|session| {
            session.total_queries += 1;
            session.user.clone()
        });
        state.total_queries += 1;
        state.queries.insert(guid, Query::new(text, &user.unwrap_or_default(), session, statement));
        (guid, has_rows)
    }

    /// Waits until the query no longer runs; the error is what its client is told. None when the query is not
    /// there or the stand-in stops.
    pub(super) fn wait(&self, guid: Guid) -> Option<Result<(), String>> {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let query = state.queries.get(&guid)?;
            match query.state(now) {
                QueryState::Running if state.stopping => return None,
                QueryState::Running => {
                    let left = query.ready().saturating_duration_since(now);
                    state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                }
                QueryState::Finished => return Some(Ok(())),
                QueryState::Cancelled => return Some(Err("Cancelled".to_owned())),
                QueryState::Failed(text) => return Some(Err(text)),
            }
        }
    }

    /// False when there is no such query.
    pub(super) fn cancel(&self, guid: Guid) -> bool {
        let known = self.state().queries.get_mut(&guid).map(Query::cancel).is_some();
        self.changed.notify_all();
        known
    }

    /// False when there is no such query.
    pub(super) fn close(&self, guid: Guid) -> bool {
        let known = self.state().complete(guid);
        self.changed.notify_all();
        known
    }
}

impl State {
    fn session(&mut self, handle: Handle) -> Result<&Session, String> {
        match self.sessions.get_mut(&handle.guid) {
            Some(session) if session.secret == handle.secret => {
                session.used = SystemTime::now();
                Ok(session)
            }
            _ => Err(INVALID_SESSION.to_owned()),
        }
    }

    /// Closes a query; one that still runs is cancelled. False when there is no such query.
    fn complete(&mut self, guid: Guid) -> bool {
        let Some(mut query) = self.queries.remove(&guid) else { return false };
        query.close();
        if self.completed.len() >= COMPLETED_MAX {
            self.completed.pop_front();
        }
        self.completed.push_back((guid, query));
        true
    }

    /// Open or completed.
    pub(super) fn any_query(&self, guid: Guid) -> Option<&Query> {
        let completed = || self.completed.iter().find(|(at, _)| *at == guid).map(|(_, query)| query);
        self.queries.get(&guid).or_else(completed)
    }

    pub(super) fn set_user(&mut self, handle: Handle, user: &str) {
        if let Some(session) = self.sessions.get_mut(&handle.guid) {
            session.user = user.to_owned();
        }
    }

    fn forget_idle_sessions(&mut self) {
        let now = SystemTime::now();
        let idle = |session: &Session| now.duration_since(session.used).is_ok_and(|idle| idle > SESSION_IDLE);
        let queries = &self.queries;
        self.sessions.retain(|guid, session| {
            session.protocol == Protocol::Beeswax
                || !idle(session)
                || queries.values().any(|query| query.session == *guid)
        });
    }
}
