//! The loop of the health thread: begins due checks, judges finished ones, publishes and tells.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::config::model::ProxyId;
use crate::load::Load;
use crate::table::{CheckReport, Checks, Health, ServerEntry, ServerState, TablePublisher};

use super::announce::{Announcer, Judged};
use super::order::Asked;
use super::outcome::Outcome;
use super::probe::probe;
use super::schedule::{Schedule, first_checks_ms, spread_ms};
use super::tally::Tally;
use super::target::{Target, targets};
use super::verdict::Turn;

mod obey;
mod replace;
mod service;

/// Checks under way at once; more wait for one to end.
const IN_FLIGHT: usize = 4096;
/// What only the statistics show is published at most this often.
const REPORT_EVERY_MS: u64 = 100;
/// Later than this the machine does not keep up, and the operator is told.
const LATE_MS: u64 = 1_000;

/// A check that ended.
struct Done {
    target: u32,
    outcome: Outcome,
    duration_ms: u32,
}

pub(super) struct Engine {
    publisher: TablePublisher,
    announcer: Announcer,
    load: Arc<Load>,
    clock: Instant,
    targets: Vec<Target>,
    reports: Vec<CheckReport>,
    schedule: Schedule,
    /// Targets that a later configuration has no more, until their last check is over; and those whose number is
    /// free.
    retired: BTreeSet<u32>,
    free: Vec<u32>,
    in_flight: usize,
    /// Checks that ended since the start.
    ended: u64,
    /// Targets whose report was not published yet.
    unreported: BTreeSet<u32>,
    report_at_ms: u64,
    slowstart_at_ms: Option<u64>,
    /// The most that a check began behind its time.
    worst_delay_ms: u64,
}

impl Engine {
    pub(super) fn new(
        publisher: TablePublisher,
        announcer: Announcer,
        load: Arc<Load>,
        clock: Instant,
    ) -> Engine {
        let (targets, unreachable) = targets(&announcer.config);
        let mut engine = Engine {
            publisher,
            announcer,
            load,
            clock,
            targets,
            reports: Vec::new(),
            schedule: Schedule::default(),
            retired: BTreeSet::new(),
            free: Vec::new(),
            in_flight: 0,
            ended: 0,
            unreported: BTreeSet::new(),
            report_at_ms: 0,
            slowstart_at_ms: None,
            worst_delay_ms: 0,
        };
        engine.reports =
            engine.targets.iter().map(|target| engine.entry(target).state.check.clone()).collect();
        engine.take_up();
        for (proxy, server) in unreachable {
            let now_ms = engine.now_ms();
            engine.publisher.update(proxy, server, |state| state.checks = Checks::Off, now_ms);
            engine.announcer.tell_unchecked(proxy, server);
        }
        let all: Vec<u32> = (0..engine.targets.len() as u32).collect();
        engine.schedule_first_checks(&all);
        engine
    }

    /// Goes on from a table that a state file may have changed.
    fn take_up(&mut self) {
        let table = self.publisher.shared().load_full();
        for target in &mut self.targets {
            let (proxy, server) = (usize::from(target.proxy.0), usize::from(target.server));
            let entry = &table.backend(target.proxy).servers[server];
            target.aim(&table.config.proxies[proxy], entry);
            target.standing.force(entry.state.check.health);
        }
    }

    /// Until `stop` is sent or dropped.
    pub(super) async fn run(mut self, mut orders: UnboundedReceiver<Asked>, mut stop: oneshot::Receiver<()>) {
        // As many messages as checks are under way: the channel needs no bound of its own.
        let (results, mut finished) = unbounded_channel();
        loop {
            tokio::select! {
                () = self.turn(&results, &mut finished) => {}
                // One at a time: whoever gives many orders delays no check.
                Some(asked) = orders.recv() => self.answer(asked),
                _ = &mut stop => return,
            }
        }
    }

    /// Publishes and begins what is due, in this order, or a check that is as frequent as reports are would always be
    /// seen under way; then waits for one to end or for the next thing to be due.
    async fn turn(&mut self, results: &UnboundedSender<Done>, finished: &mut UnboundedReceiver<Done>) {
        self.publish_due();
        self.begin_due(results);
        let deadline = self.clock + Duration::from_millis(self.next_ms());
        tokio::select! {
            Some(first) = finished.recv() => {
                let mut ended = vec![first];
                while let Ok(done) = finished.try_recv() {
                    ended.push(done);
                }
                self.finish(ended);
            }
            () = tokio::time::sleep_until(deadline.into()) => {}
        }
    }

    fn now_ms(&self) -> u64 {
        self.clock.elapsed().as_millis() as u64
    }

    fn entry(&self, target: &Target) -> &ServerEntry {
        self.entry_at(target.proxy, target.server)
    }

    fn entry_at(&self, proxy: ProxyId, server: u16) -> &ServerEntry {
        &self.publisher.snapshot().backend(proxy).servers[usize::from(server)]
    }

    /// When something is to be done without a check having ended.
    fn next_ms(&self) -> u64 {
        let check = self.schedule.next_ms().filter(|_| self.in_flight < IN_FLIGHT);
        let report = (!self.unreported.is_empty()).then_some(self.report_at_ms);
        let nothing = self.now_ms() + 3_600_000;
        [check, report, self.slowstart_at_ms].into_iter().flatten().min().unwrap_or(nothing)
    }

    fn schedule_first_checks(&mut self, new: &[u32]) {
        let interval = |target: &Target| target.pace.interval_ms(target.standing);
        let intervals: Vec<u32> =
            new.iter().map(|&target| interval(&self.targets[target as usize])).collect();
        let now_ms = self.now_ms();
        let firsts = first_checks_ms(&intervals, self.announcer.config.global.max_spread_checks_ms);
        for (&target, first_ms) in new.iter().zip(firsts) {
            self.schedule.set(target, now_ms + first_ms);
        }
    }

    /// After `inter` where nothing is checked for the time being: what was down has been taken out of service to be
    /// seen to, and is new when it comes back.
    fn schedule_next(&mut self, target: u32) {
        let Target { pace, standing, .. } = self.targets[target as usize];
        let interval_ms =
            if self.is_checked(target) { pace.interval_ms(standing) } else { pace.inter_ms.max(1) };
        let percent = self.announcer.config.global.spread_checks_percent;
        let interval_ms = spread_ms(interval_ms, percent, fastrand::f64());
        self.schedule.set(target, self.now_ms() + u64::from(interval_ms));
    }

    fn is_checked(&self, target: u32) -> bool {
        self.entry(&self.targets[target as usize]).state.is_checked()
    }

    fn begin_due(&mut self, results: &UnboundedSender<Done>) {
        let now_ms = self.now_ms();
        while self.in_flight < IN_FLIGHT {
            let Some((target, due_ms)) = self.schedule.pop(now_ms) else { return };
            if self.let_go(target) {
                continue;
            }
            self.note_delay(now_ms - due_ms);
            // A server in maintenance is not checked, and keeps its place in the schedule.
            if self.is_checked(target) {
                self.begin(target, results.clone());
            } else {
                self.schedule_next(target);
            }
        }
    }

    fn note_delay(&mut self, delay_ms: u64) {
        if delay_ms > LATE_MS.max(2 * self.worst_delay_ms) {
            let (in_flight, ended) = (self.in_flight, self.ended);
            tracing::warn!(delay_ms, in_flight, ended, "health checks are behind their schedule");
        }
        self.worst_delay_ms = self.worst_delay_ms.max(delay_ms);
    }

    fn begin(&mut self, target: u32, results: UnboundedSender<Done>) {
        let Target { address, timeout_ms, .. } = &self.targets[target as usize];
        let Some(address) = address.clone() else { return self.schedule_next(target) };
        let timeout = Duration::from_millis(u64::from(*timeout_ms));
        self.in_flight += 1;
        self.reports[target as usize].running = true;
        self.unreported.insert(target);
        tokio::task::spawn_local(async move {
            let began = Instant::now();
            let outcome = probe(&address, timeout).await;
            let duration_ms = began.elapsed().as_millis() as u32;
            // It fails only when the thread is ending.
            let _ = results.send(Done { target, outcome, duration_ms });
        });
    }

    /// Judges checks that ended, publishes all changes of sides at once, then tells them one by one.
    fn finish(&mut self, ended: Vec<Done>) {
        let judged: Vec<Judged> = ended.into_iter().filter_map(|done| self.judge(done)).collect();
        let before = self.publisher.shared().load_full();
        self.publish_turns(&judged);
        let after = self.publisher.snapshot();
        let mut tally = Tally::default();
        for judged in &judged {
            let target = &self.targets[judged.target as usize];
            let left = judged
                .turn
                .map(|turn| tally.left(&before, after, (target.proxy, target.server), turn, &self.load));
            self.announcer.tell(target, judged, left, after);
        }
        for judged in &judged {
            self.schedule_next(judged.target);
        }
    }

    /// None: the server went into maintenance or away, or its checks were switched off, while the check ran.
    fn judge(&mut self, done: Done) -> Option<Judged> {
        self.in_flight -= 1;
        self.ended += 1;
        let Done { target, outcome, duration_ms } = done;
        if self.let_go(target) {
            return None;
        }
        self.unreported.insert(target);
        let state = &self.entry(&self.targets[target as usize]).state;
        let (checked, health) = (state.is_checked(), state.health);
        let report = &mut self.reports[target as usize];
        report.running = false;
        if !checked {
            self.schedule_next(target);
            return None;
        }
        let standing = &mut self.targets[target as usize].standing;
        let passed = outcome.passed();
        let moved = if passed { standing.pass() } else { standing.fail() };
        let turn = standing.turn(passed, health);
        let news = moved || report.status != outcome.status();
        report.fails += u64::from(!passed && moved);
        report.downs += u64::from(turn == Some(Turn::Down));
        report.status = outcome.status();
        report.duration_ms = Some(duration_ms);
        report.desc = outcome.info();
        report.health = standing.health;
        let (standing, was_stopping) = (*standing, health == Health::Stopping);
        Some(Judged { target, outcome, duration_ms, standing, turn, was_stopping, news })
    }

    fn publish_turns(&mut self, judged: &[Judged]) {
        let now_ms = self.now_ms();
        let mut changes = Vec::new();
        for (at, turn) in judged.iter().filter_map(|judged| Some((judged.target, judged.turn?))) {
            let target = &self.targets[at as usize];
            let state = &self.entry(target).state;
            if state.health == Health::Down {
                self.reports[at as usize].downtime_ms += now_ms.saturating_sub(state.since_ms);
            }
            let report = self.reports[at as usize].clone();
            self.unreported.remove(&at);
            let target = &self.targets[at as usize];
            changes.push((target.proxy, target.server, move |state: &mut ServerState| {
                state.health = if turn == Turn::Up { Health::Up } else { Health::Down };
                state.check = report;
            }));
        }
        if !changes.is_empty() {
            self.publisher.update_all(changes, now_ms);
            self.slowstart_at_ms = self.publisher.tick(now_ms);
        }
    }

    fn publish_due(&mut self) {
        let now_ms = self.now_ms();
        if self.slowstart_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.slowstart_at_ms = self.publisher.tick(now_ms);
        }
        if !self.unreported.is_empty() && self.report_at_ms <= now_ms {
            let report = |target: u32| {
                let Target { proxy, server, .. } = self.targets[target as usize];
                (proxy, server, self.reports[target as usize].clone())
            };
            self.publisher.report(std::mem::take(&mut self.unreported).into_iter().map(report));
            self.report_at_ms = now_ms + REPORT_EVERY_MS;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};
    use std::sync::mpsc;

    use arc_swap::ArcSwap;
    use socket2::{Domain, Socket, Type};

    use super::super::{Console, HealthThread, start};
    use super::*;
    use crate::config::model::{
        AbstractName, Check, Config, ListenAddress, Proxy, ProxyKind, Server, ServerAddress,
    };
    use crate::log;
    use crate::sys::socket;
    use crate::table::{ServerEntry, Snapshot, fixture};

    const DEADLINE: Duration = Duration::from_secs(20);

    /// A health thread on one backend, and what it says.
    struct Rig {
        thread: HealthThread,
        lines: mpsc::Receiver<String>,
        table: Arc<ArcSwap<Snapshot>>,
    }

    fn check(inter_ms: u32, rise: u16, fall: u16) -> Option<Check> {
        Some(Check { inter_ms, rise, fall, ..Check::default() })
    }

    fn server(at: usize, address: ServerAddress, check: Option<Check>) -> Server {
        Server { name: format!("s{at}"), address, check, ..fixture::server(at as u32) }
    }

    fn rig(backend: Proxy) -> Rig {
        let config = Arc::new(Config { proxies: vec![backend], ..Config::default() });
        let load = Arc::new(Load::new(&config, 1));
        let publisher = TablePublisher::new(Arc::clone(&config), &load);
        let table = publisher.shared();
        let (handle, _) =
            log::start(Arc::clone(&config), log::open(&config, false).unwrap(), 0, "h").unwrap();
        let (say, lines) = mpsc::channel();
        let alert = say.clone();
        let console = Console {
            warning: Box::new(move |line| say.send(line.to_owned()).unwrap_or_default()),
            alert: Box::new(move |line| alert.send(line.to_owned()).unwrap_or_default()),
        };
        let thread = start(publisher, handle, load, Instant::now(), console).unwrap();
        Rig { thread, lines, table }
    }

    impl Rig {
        fn line(&self) -> String {
            self.lines.recv_timeout(DEADLINE).expect("a line in time")
        }

        fn entry(&self, at: usize) -> ServerEntry {
            self.table.load().backends().next().unwrap().servers[at].clone()
        }

        fn until(&self, what: &str, mut done: impl FnMut(&Rig) -> bool) {
            let deadline = Instant::now() + DEADLINE;
            while !done(self) {
                assert!(Instant::now() < deadline, "{what} within {DEADLINE:?}");
                std::thread::yield_now();
            }
        }
    }

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// A socket that is bound and does not listen: its port refuses, and nobody else gets it.
    fn refusing() -> (Socket, SocketAddr) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        (socket, address)
    }

    /// As `refusing`, shared: [`listen_at`] may take the same port while this one keeps it from others.
    fn placeholder() -> (Socket, SocketAddr) {
        let socket = shared(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        (socket, address)
    }

    fn shared(address: SocketAddr) -> Socket {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&address.into()).unwrap();
        socket
    }

    fn listen_at(address: SocketAddr) -> Socket {
        let socket = shared(address);
        socket.listen(16).unwrap();
        socket
    }

    /// A listener whose backlog is full: the kernel drops every further SYN.
    fn silent() -> (Vec<Socket>, SocketAddr) {
        let (listener, address) = refusing();
        listener.listen(0).unwrap();
        let mut sockets = vec![listener];
        for _ in 0..4 {
            let client = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
            let _ = client.connect(&address.into());
            sockets.push(client);
        }
        (sockets, address)
    }

    fn reason(line: &str) -> String {
        let (head, tail) = line.split_once(", check duration: ").expect("a duration");
        format!("{head} … {}", tail.split_once("ms. ").expect("a duration").1)
    }

    #[test]
    fn a_server_that_stops_and_comes_back_is_followed() {
        let (_port, address) = placeholder();
        let listening = listen_at(address);
        let mut backend = fixture::backend("b", 0);
        backend.servers = vec![server(1, ServerAddress::Tcp(address), check(20, 2, 3))];
        let rig = rig(backend);
        rig.until("a passed check", |rig| rig.entry(0).state.check.status == "L4OK");
        assert_eq!(rig.entry(0).state.check.health, 4);

        drop(listening);
        assert_eq!(
            reason(&rig.line()),
            "Server b/s1 is DOWN, reason: Layer4 connection problem, info: \"ECONNREFUSED returned by OS \
             (Connection refused)\" … 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 \
             remaining in queue."
        );
        // The table was first.
        let entry = rig.entry(0);
        assert_eq!((entry.state.health, entry.usable()), (Health::Down, false));
        assert_eq!((entry.state.check.fails, entry.state.check.downs), (3, 1));
        assert_eq!(rig.line(), "backend 'b' has no server available!");

        let _listening = listen_at(address);
        assert_eq!(
            reason(&rig.line()),
            "Server b/s1 is UP, reason: Layer4 check passed … 1 active and 0 backup servers online. 0 sessions \
             requeued, 0 total in queue."
        );
        assert_eq!((rig.entry(0).state.health, rig.entry(0).usable()), (Health::Up, true));
        assert!(rig.entry(0).state.check.downtime_ms >= 20);
        rig.thread.stop();
    }

    #[test]
    fn silence_is_a_timeout_after_inter() {
        let (_sockets, address) = silent();
        let mut backend = fixture::backend("b", 0);
        let (_listener, alive) = listener();
        backend.servers = vec![
            server(1, ServerAddress::Tcp(address), check(150, 2, 3)),
            Server { backup: true, ..server(2, ServerAddress::Tcp(alive), check(150, 2, 3)) },
        ];
        let rig = rig(backend);
        let line = rig.line();
        assert!(line.starts_with("Server b/s1 is DOWN, reason: Layer4 timeout, check duration: "), "{line}");
        assert!(line.contains("0 active and 1 backup servers left. Running on backup. 0 sessions"), "{line}");
        let report = rig.entry(0).state.check;
        assert_eq!(report.status, "L4TOUT");
        assert!(report.duration_ms.unwrap() >= 150, "{report:?}");
        rig.thread.stop();
    }

    #[test]
    fn every_check_that_changes_something_is_logged_when_asked() {
        let (_socket, address) = refusing();
        let mut backend = fixture::backend("b", 0);
        backend.kind = ProxyKind::Listen;
        backend.options.log_health_checks = true;
        backend.servers = vec![server(1, ServerAddress::Tcp(address), check(20, 2, 3))];
        let rig = rig(backend);
        let line = rig.line();
        assert!(line.starts_with("Health check for server b/s1 failed, reason: Layer4 connection"), "{line}");
        assert!(line.ends_with("ms, status: 0/2 DOWN."), "{line}");
        assert_eq!(
            rig.line(),
            "Server b/s1 is DOWN. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 \
             remaining in queue."
        );
        assert_eq!(rig.line(), "proxy 'b' has no server available!");
        rig.thread.stop();
    }

    #[test]
    fn unix_sockets_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
        let _listener = std::os::unix::net::UnixListener::bind(&good).unwrap();
        let name = format!("pronk-health-{}", std::process::id());
        let name = AbstractName { text: name, padded: false };
        let hidden = ListenAddress::Abstract(name.clone());
        let _hidden = socket::listen(&hidden, &socket::ListenOptions::default()).unwrap();
        let mut backend = fixture::backend("b", 0);
        backend.servers = vec![
            server(1, ServerAddress::Unix(good), check(50, 2, 1)),
            server(2, ServerAddress::Unix(bad), check(50, 2, 1)),
            server(3, ServerAddress::Abstract(name), check(50, 2, 1)),
        ];
        let rig = rig(backend);
        let line = reason(&rig.line());
        assert!(
            line.starts_with(
                "Server b/s2 is DOWN, reason: Socket error, info: \"General socket error (No such file or \
                 directory)\" … "
            ),
            "{line}"
        );
        rig.until("two pass", |rig| [0, 2].iter().all(|at| rig.entry(*at).state.check.status == "L4OK"));
        rig.thread.stop();
    }

    #[test]
    fn a_source_that_is_not_here_is_told_and_counts_as_failure() {
        let (_listener, address) = listener();
        let mut backend = fixture::backend("b", 0);
        let here = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 7), 0));
        let elsewhere = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 0));
        let from = |at, source| Server {
            source: Some(source),
            ..server(at, ServerAddress::Tcp(address), check(600, 2, 3))
        };
        backend.servers = vec![from(1, elsewhere), from(2, here)];
        let rig = rig(backend);
        assert_eq!(rig.line(), "Cannot bind to source address before connect() for backend b. Aborting.");
        assert!(rig.line().starts_with(
            "Server b/s1 is DOWN, reason: Layer4 connection problem, info: \"Can't bind to source address \
                 (Cannot assign requested address)\", check duration: "
        ));
        rig.until("the other passes", |rig| rig.entry(1).state.check.status == "L4OK");
        rig.thread.stop();
    }

    #[test]
    fn a_server_that_comes_back_starts_slowly_and_gets_there() {
        let (_port, address) = placeholder();
        let mut backend = fixture::backend("b", 0);
        let slow = server(1, ServerAddress::Tcp(address), check(20, 1, 1));
        backend.servers = vec![Server { slowstart_ms: Some(2_000), weight: 16, ..slow }];
        let rig = rig(backend);
        rig.until("down", |rig| rig.entry(0).state.health == Health::Down);
        let _listening = listen_at(address);
        rig.until("up", |rig| rig.entry(0).state.health == Health::Up);
        assert!(rig.entry(0).weight < 16, "{:?}", rig.entry(0));
        rig.until("its whole weight", |rig| rig.entry(0).weight == 16);
        rig.thread.stop();
    }

    #[test]
    fn a_server_without_a_port_is_said_to_be_unchecked() {
        let mut backend = fixture::backend("b", 0);
        backend.servers = vec![server(1, ServerAddress::TcpMapped([127, 0, 0, 1].into(), 0), check(5, 1, 1))];
        let rig = rig(backend);
        assert_eq!(
            rig.line(),
            "Server b/s1 has neither service port nor check port. Check has been disabled."
        );
        rig.until("unchecked", |rig| rig.entry(0).state.checks == Checks::Off);
        rig.thread.stop();
    }

    impl Rig {
        fn replace(&self, change: impl FnOnce(&mut Proxy)) -> crate::health::Reply {
            let base = Arc::clone(&self.table.load().config);
            let mut next = Config::clone(&base);
            change(&mut next.proxies[0]);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let order = crate::health::Order::Replace { base, next: Arc::new(next) };
            runtime.block_on(self.thread.remote().order(order))
        }
    }

    #[test]
    fn another_configuration_lets_checks_go_on_and_begins_new_ones() {
        let (_listener, alive) = listener();
        let (_socket, dead) = refusing();
        let mut backend = fixture::backend("b", 0);
        backend.servers = vec![
            server(1, ServerAddress::Tcp(dead), check(20, 2, 3)),
            server(2, ServerAddress::Tcp(alive), check(20, 2, 3)),
        ];
        let rig = rig(backend);
        assert!(rig.line().starts_with("Server b/s1 is DOWN"));
        let checked = |rig: &Rig, name: &str| {
            let table = rig.table.load();
            let entry = table.backends().next().unwrap().servers.iter().find(|s| &*s.name == name).cloned();
            entry.expect("it is there").state
        };
        let fails = checked(&rig, "s1").check.fails;
        // One before it, one gone behind it: it stays down, and nothing is said about it.
        let reply = rig.replace(|proxy| {
            proxy.servers.insert(0, server(3, ServerAddress::Tcp(alive), check(20, 2, 3)));
            proxy.servers.remove(2);
        });
        assert_eq!(reply, Ok(String::new()));
        assert_eq!((checked(&rig, "s1").health, checked(&rig, "s1").check.fails), (Health::Down, fails));
        rig.until("the new one passes", |rig| checked(rig, "s3").check.status == "L4OK");
        // Slower checks of the same address: still down; another address: a new beginning.
        rig.replace(|proxy| proxy.servers[1].check = check(30, 1, 1)).unwrap();
        assert_eq!(checked(&rig, "s1").health, Health::Down);
        rig.replace(|proxy| proxy.servers[1].address = ServerAddress::Tcp(alive)).unwrap();
        rig.until("it passes there", |rig| checked(rig, "s1").check.status == "L4OK");
        assert_eq!(checked(&rig, "s1").health, Health::Up);
        // Many more, so that numbers are used again while checks are under way.
        for _ in 0..20 {
            rig.replace(|proxy| proxy.servers.truncate(1)).unwrap();
            rig.replace(|proxy| proxy.servers.push(server(1, ServerAddress::Tcp(alive), check(20, 1, 1))))
                .unwrap();
        }
        rig.until("it passes again", |rig| checked(rig, "s1").check.status == "L4OK");
        assert!(rig.lines.try_recv().is_err(), "nothing had changed for anybody to hear of");
        let stale = crate::health::Order::Replace {
            base: Arc::default(),
            next: Arc::clone(&rig.table.load().config),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(rig.thread.remote().order(stale)).is_err());
        rig.thread.stop();
    }

    impl Rig {
        fn change(&self, at: u16, change: crate::health::ServerChange) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let server = self.entry(usize::from(at)).id;
            let order = crate::health::Order::Server { server, change };
            runtime.block_on(self.thread.remote().order(order)).unwrap();
        }
    }

    /// Its checks were off while it came back from maintenance, where the counter stands at the bottom.
    #[test]
    fn a_dead_server_whose_checks_are_switched_on_goes_down() {
        use crate::health::{ServerChange, Service};
        let (_socket, dead) = refusing();
        let mut backend = fixture::backend("b", 0);
        backend.servers = vec![server(1, ServerAddress::Tcp(dead), check(20, 2, 3))];
        let rig = rig(backend);
        rig.until("down", |rig| rig.entry(0).state.health == Health::Down);
        rig.change(0, ServerChange::Checks(false));
        rig.change(0, ServerChange::State(Service::Maint));
        rig.change(0, ServerChange::State(Service::Ready));
        assert_eq!(rig.entry(0).state.health, Health::Up);
        rig.change(0, ServerChange::Checks(true));
        rig.until("down again", |rig| rig.entry(0).state.health == Health::Down);
        rig.thread.stop();
    }

    #[test]
    fn a_dead_server_that_a_configuration_takes_out_of_maintenance_goes_down() {
        let (_socket, dead) = refusing();
        let mut backend = fixture::backend("b", 0);
        backend.servers =
            vec![Server { disabled: true, ..server(1, ServerAddress::Tcp(dead), check(20, 2, 3)) }];
        let rig = rig(backend);
        assert_eq!(rig.entry(0).state.check.downs, 0);
        rig.replace(|proxy| proxy.servers[0].disabled = false).unwrap();
        rig.until("down", |rig| rig.entry(0).state.check.downs == 1);
        assert_eq!(rig.entry(0).state.health, Health::Down);
        rig.thread.stop();
    }

    /// Once drained it has no server; what then happens to the drained one is no news of the backend.
    #[test]
    fn a_backend_is_mourned_once() {
        let (port, address) = placeholder();
        let listening = listen_at(address);
        drop(port);
        let mut backend = fixture::backend("b", 0);
        backend.servers = vec![server(1, ServerAddress::Tcp(address), check(20, 1, 1))];
        let rig = rig(backend);
        rig.until("a passed check", |rig| rig.entry(0).state.check.status == "L4OK");
        rig.change(0, crate::health::ServerChange::Draining(true));
        assert!(rig.line().starts_with("Server b/s1 enters drain state"));
        assert_eq!(rig.line(), "backend 'b' has no server available!");
        drop(listening);
        assert!(rig.line().contains("Server b/s1 is DOWN"));
        rig.thread.stop();
        assert_eq!(rig.lines.try_iter().collect::<Vec<_>>(), [""; 0], "nothing more");
    }

    #[test]
    fn an_order_follows_its_server_and_misses_one_that_is_gone() {
        let (_listener, alive) = listener();
        let mut backend = fixture::backend("b", 0);
        backend.servers =
            (1..=3).map(|at| server(at, ServerAddress::Tcp(alive), check(5_000, 2, 3))).collect();
        let rig = rig(backend);
        let ids = [0, 1, 2].map(|at| rig.entry(at).id);
        rig.replace(|proxy| drop(proxy.servers.remove(0))).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let drain = |server| {
            let change = crate::health::ServerChange::Draining(true);
            runtime.block_on(rig.thread.remote().order(crate::health::Order::Server { server, change }))
        };
        assert_eq!(drain(ids[2]), Ok(String::new()));
        assert_eq!([0, 1].map(|at| rig.entry(at).state.admin.drain), [false, true], "s2 and s3");
        assert_eq!(drain(ids[0]), Err("No such server.".to_owned()));
        rig.thread.stop();
    }

    #[test]
    fn two_thousand_servers_keep_their_schedule() {
        const SERVERS: usize = 2_000;
        let inter_ms = 1_000;
        let (listener, alive) = listener();
        // On a slow machine some handshakes end after all, and would fill a backlog that nobody empties.
        let accepting = listener.try_clone().unwrap();
        let acceptor = std::thread::spawn(move || accepting.incoming().map_while(Result::ok).for_each(drop));
        let (_socket, dead) = refusing();
        let address = |at: usize| ServerAddress::Tcp(if at.is_multiple_of(2) { alive } else { dead });
        let backend = |number: usize| Proxy {
            servers: (0..SERVERS / 20).map(|at| server(at, address(at), check(inter_ms, 2, 3))).collect(),
            ..fixture::backend(&format!("b{number}"), 0)
        };
        let config = Arc::new(Config { proxies: (0..20).map(backend).collect(), ..Config::default() });
        let load = Arc::new(Load::new(&config, 1));
        let publisher = TablePublisher::new(Arc::clone(&config), &load);
        let table = publisher.shared();
        let (handle, _) =
            log::start(Arc::clone(&config), log::open(&config, false).unwrap(), 0, "h").unwrap();
        let console = Console { warning: Box::new(|_| ()), alert: Box::new(|_| ()) };
        let body = move || {
            let turned = async move {
                let announcer = Announcer { config, log: handle, console };
                let mut engine = Engine::new(publisher, announcer, load, Instant::now());
                let (results, mut finished) = unbounded_channel();
                let deadline = Instant::now() + DEADLINE;
                // Two rounds: as many checks as if every server were checked twice.
                while engine.ended < 2 * SERVERS as u64 {
                    assert!(Instant::now() < deadline, "{} checks within {DEADLINE:?}", engine.ended);
                    engine.turn(&results, &mut finished).await;
                }
                (engine.now_ms(), engine.worst_delay_ms)
            };
            crate::process::runtime::run("health", turned).unwrap()
        };
        let (took_ms, worst_delay_ms) = std::thread::spawn(body).join().unwrap();
        rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
        acceptor.join().unwrap();
        // The second round of a server begins one interval after its first; the last first is just before.
        assert!((1_900..6_000).contains(&took_ms), "{took_ms} ms for two rounds");
        assert!(worst_delay_ms < 2_000, "a check began {worst_delay_ms} ms late");
        let snapshot = table.load();
        let up: u32 = snapshot.backends().map(|backend| backend.active).sum();
        assert_eq!(up as usize, SERVERS / 2);
    }

    #[test]
    fn descriptors_return_to_where_they_were() {
        // Counted by what they are: other tests of this process open sockets meanwhile.
        let (_listener, alive) = listener();
        let (_sockets, dead) = silent();
        let mut backend = fixture::backend("b", 0);
        backend.servers = vec![
            server(1, ServerAddress::Tcp(alive), check(10, 1, 1)),
            server(2, ServerAddress::Tcp(dead), check(30, 1, 1)),
        ];
        let before = (open_to(alive), open_to(dead));
        let rig = rig(backend);
        rig.until("30 reports", |rig| rig.table.load().generation >= 30);
        rig.thread.stop();
        assert_eq!((open_to(alive), open_to(dead)), before);
    }

    /// Descriptors of this process that are sockets connected or connecting to `address`.
    fn open_to(address: SocketAddr) -> usize {
        let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<i32>().ok();
        let open: Vec<i32> = descriptors.filter_map(number).collect();
        open.into_iter().filter(|fd| peer_of(*fd) == Some(address)).count()
    }

    fn peer_of(fd: i32) -> Option<SocketAddr> {
        let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
        let table = std::fs::read_to_string("/proc/self/net/tcp").ok()?;
        let line = table.lines().find(|line| line.split_whitespace().nth(9) == Some(&inode))?;
        let remote = line.split_whitespace().nth(2)?;
        let (ip, port) = remote.split_once(':')?;
        let ip = u32::from_str_radix(ip, 16).ok()?.to_le_bytes();
        Some(SocketAddr::from((ip, u16::from_str_radix(port, 16).ok()?)))
    }
}
