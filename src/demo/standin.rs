//! One stand-in coordinator: three ports and what stands behind them.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use super::beeswax::Beeswax;
use super::coordinator::{Addresses, Cluster, Coordinator};
use super::hs2::HiveServer2;
use super::pages::Traffic;
use super::rpc;
use super::service::{Connections, Gate, Serve, Service};
use super::web;

/// An impalad's `--fe_service_threads`, for each of its client ports.
const SERVICE_THREADS: usize = 64;
const WEB_THREADS: usize = 32;
const BACKLOG: i32 = 1024;

/// Where a stand-in listens and with whom it stands together.
#[derive(Clone)]
pub struct Options {
    /// Address of all three ports.
    pub host: IpAddr,
    /// Beeswax; 0: the kernel chooses.
    pub beeswax_port: u16,
    /// HiveServer2; 0: the kernel chooses.
    pub hs2_port: u16,
    /// Debug web page; 0: the kernel chooses.
    pub web_port: u16,
    /// Connections served at once on each client port; the next ones wait.
    pub service_threads: usize,
    /// The coordinators that `/backends` lists.
    pub cluster: Cluster,
}

impl Default for Options {
    /// 127.0.0.1, ports of the kernel's choice, 64 service threads, a cluster of its own.
    fn default() -> Options {
        Options {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            beeswax_port: 0,
            hs2_port: 0,
            web_port: 0,
            service_threads: SERVICE_THREADS,
            cluster: Cluster::default(),
        }
    }
}

/// A running stand-in; [`StandIn::stop`] or dropping it ends it as the death of its process would.
pub struct StandIn {
    coordinator: Arc<Coordinator>,
    gates: Gates,
    services: Vec<Service>,
}

#[derive(Clone)]
struct Gates {
    beeswax: Arc<Gate>,
    hs2: Arc<Gate>,
}

impl Gates {
    fn traffic(&self) -> Traffic {
        Traffic { beeswax: self.beeswax.connections(), hs2: self.hs2.connections() }
    }
}

impl StandIn {
    /// Returns when all three ports listen. The error is the first port's that could not be had.
    pub fn start(name: &str, options: Options) -> io::Result<StandIn> {
        let listen = |port| listen(SocketAddr::new(options.host, port));
        let beeswax = listen(options.beeswax_port)?;
        let hs2 = listen(options.hs2_port)?;
        let web = listen(options.web_port)?;
        let addresses =
            Addresses { beeswax: beeswax.local_addr()?, hs2: hs2.local_addr()?, web: web.local_addr()? };
        let coordinator = Coordinator::new(name, addresses, options.cluster);
        let gates =
            Gates { beeswax: Gate::new(options.service_threads), hs2: Gate::new(options.service_threads) };
        let mut standin = StandIn { coordinator, gates, services: Vec::new() };
        standin.serve("beeswax", beeswax, Arc::clone(&standin.gates.beeswax), serve_beeswax)?;
        standin.serve("hs2", hs2, Arc::clone(&standin.gates.hs2), serve_hs2)?;
        let gates = standin.gates.clone();
        standin.serve("web", web, Gate::new(WEB_THREADS), move |coordinator, stream, _| {
            web::serve(coordinator, stream, gates.traffic());
        })?;
        Ok(standin)
    }

    fn serve(
        &mut self,
        port: &str,
        listener: TcpListener,
        gate: Arc<Gate>,
        one: impl Fn(&Coordinator, &TcpStream, SocketAddr) + Send + Sync + 'static,
    ) -> io::Result<()> {
        let coordinator = Arc::clone(&self.coordinator);
        let serve: Serve = Arc::new(move |stream, peer| one(&coordinator, stream, peer));
        let thread = format!("{} {port}", self.coordinator.name);
        self.services.push(Service::start(&thread, listener, gate, serve)?);
        Ok(())
    }

    /// What `select coordinator()` answers.
    pub fn name(&self) -> &str {
        &self.coordinator.name
    }

    /// What `select pid()` answers: this process's id plus the stand-in's number in it.
    pub fn pid(&self) -> i64 {
        self.coordinator.pid
    }

    /// Address of the Beeswax port.
    pub fn beeswax(&self) -> SocketAddr {
        self.coordinator.addresses.beeswax
    }

    /// Address of the HiveServer2 port.
    pub fn hs2(&self) -> SocketAddr {
        self.coordinator.addresses.hs2
    }

    /// Address of the debug web port.
    pub fn web(&self) -> SocketAddr {
        self.coordinator.addresses.web
    }

    /// Thrift calls answered so far, by method.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.coordinator.state().calls.clone()
    }

    /// Statements begun so far.
    pub fn queries(&self) -> u64 {
        self.coordinator.state().total_queries
    }

    /// Connections of the HiveServer2 port.
    pub fn hs2_connections(&self) -> Connections {
        self.gates.hs2.connections()
    }

    /// Whether `/healthz` answers 200 or 503.
    pub fn set_healthy(&self, healthy: bool) {
        self.coordinator.state().healthy = healthy;
    }

    /// Ends it now: nobody listens, every connection is closed. The ports may be taken again.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.coordinator.stop();
        for mut service in self.services.drain(..) {
            service.stop();
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.end();
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let attempt = || {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(TcpListener::from(socket))
    };
    attempt().map_err(|error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}")))
}

fn serve_beeswax(coordinator: &Coordinator, stream: &TcpStream, peer: SocketAddr) {
    // A full coordinator closes the connection, as an impalad does.
    if let Ok(mut methods) = Beeswax::open(coordinator, &peer.to_string()) {
        rpc::serve(coordinator, stream, &mut methods);
    }
}

fn serve_hs2(coordinator: &Coordinator, stream: &TcpStream, peer: SocketAddr) {
    let mut methods = HiveServer2 { coordinator, client: peer.to_string() };
    rpc::serve(coordinator, stream, &mut methods);
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::time::{Duration, Instant};

    use super::super::client::{Client, ClientError};
    use super::*;
    use crate::impala::thrift::{Limits, Message, Struct, Value};

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn standin(name: &str) -> StandIn {
        StandIn::start(name, Options::default()).unwrap()
    }

    fn client(standin: &StandIn) -> Client {
        Client::open(standin.hs2(), "alice", TIMEOUT).unwrap()
    }

    fn until(what: &str, mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !done() {
            assert!(Instant::now() < deadline, "{what} within {TIMEOUT:?}");
            std::thread::yield_now();
        }
    }

    fn get(address: SocketAddr, target: &str) -> String {
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn beeswax_call(stream: &mut TcpStream, method: &str, arguments: Struct) -> Struct {
        stream.write_all(&Message::call(method, 7, arguments).to_bytes().unwrap()).unwrap();
        let answer = Message::read(stream, Limits::default()).unwrap();
        assert_eq!((answer.name.as_str(), answer.sequence), (method, 7));
        answer.body
    }

    #[test]
    fn hive_server_2_answers_who_it_is_and_counts() {
        let standin = standin("c1");
        let mut client = client(&standin);
        assert_eq!(client.query("select coordinator()").unwrap(), [["c1"]]);
        assert_eq!(client.query("select pid()").unwrap(), [[standin.pid().to_string()]]);
        assert_eq!(client.query("select user()").unwrap(), [["alice"]]);
        assert_eq!(client.query("use db").unwrap(), Vec::<Vec<String>>::new());
        assert_eq!(client.query("set all").unwrap().len(), 6);
        client.close().unwrap();
        assert_eq!((standin.queries(), standin.calls()["OpenSession"]), (5, 1));
        assert!(get(standin.web(), "/sessions?json").contains("\"num_sessions\": 0"));
        assert!(get(standin.web(), "/queries?json").contains("\"num_in_flight_queries\": 0"));
    }

    #[test]
    fn results_come_in_several_answers() {
        let standin = standin("c1");
        let rows = client(&standin).query("select gen(20000, 5)").unwrap();
        assert_eq!((rows.len(), rows[19_999][0].as_str()), (20_000, "19999"));
        assert_eq!(standin.calls()["FetchResults"], 3);
    }

    #[test]
    fn errors_are_answers_and_the_session_goes_on() {
        let standin = standin("c1");
        let mut client = client(&standin);
        for statement in ["select * from t", "select fail()"] {
            assert!(matches!(client.query(statement), Err(ClientError::Server(_))), "{statement}");
        }
        assert_eq!(client.query("select 1").unwrap(), [["1"]]);
    }

    #[test]
    fn beeswax_runs_a_statement_and_forgets_it_with_the_connection() {
        let standin = standin("c2");
        let mut stream = TcpStream::connect_timeout(&standin.beeswax(), TIMEOUT).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        let query = Struct::new().with(1, "select coordinator()");
        let handle = beeswax_call(&mut stream, "query", Struct::new().with(1, query));
        let handle = handle.field(0).and_then(Value::fields).unwrap().clone();
        let state = beeswax_call(&mut stream, "get_state", Struct::new().with(1, handle.clone()));
        assert_eq!(state.field(0).and_then(Value::integer), Some(4));
        let fetch = Struct::new().with(1, handle).with(2, false).with(3, 10);
        let results = beeswax_call(&mut stream, "fetch", fetch);
        let rows = results.at(&[0, 3]).and_then(Value::items).unwrap();
        assert_eq!(rows[0].text(), Some("c2"));
        let wrong = Struct::new().with(1, Struct::new().with(1, "nonsense"));
        assert!(beeswax_call(&mut stream, "query", wrong).at(&[1, 1]).is_some());
        drop(stream);
        until("the session ends", || get(standin.web(), "/sessions?json").contains("\"num_sessions\": 0"));
        assert!(get(standin.web(), "/queries?json").contains("\"num_in_flight_queries\": 0"));
    }

    #[test]
    fn what_is_no_thrift_closes_only_its_own_connection() {
        let standin = standin("c1");
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x80\x01\x00\x01\x7f\xff\xff\xff", b"\x00"] {
            let mut stream = TcpStream::connect_timeout(&standin.hs2(), TIMEOUT).unwrap();
            stream.set_read_timeout(Some(TIMEOUT)).unwrap();
            stream.write_all(bytes).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            // Closing with bytes unread resets the connection.
            let end = stream.read(&mut [0; 16]);
            assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
        }
        assert_eq!(client(&standin).query("select 2").unwrap(), [["2"]]);
    }

    #[test]
    fn who_comes_when_all_threads_are_taken_waits() {
        let options = Options { service_threads: 1, ..Options::default() };
        let standin = StandIn::start("c1", options).unwrap();
        let first = client(&standin);
        let address = standin.hs2();
        let second = std::thread::spawn(move || Client::open(address, "bob", TIMEOUT).map(|_| ()));
        assert_eq!(standin.hs2_connections().open, 1);
        first.close().unwrap();
        second.join().unwrap().unwrap();
        until("the second is served", || standin.hs2_connections().accepted == 2);
    }

    #[test]
    fn graceful_shutdown_refuses_sessions_and_says_so() {
        let standin = standin("c1");
        let mut open = client(&standin);
        open.query(":shutdown()").unwrap();
        assert!(matches!(open.query("select 1"), Err(ClientError::Server(_))));
        assert!(matches!(Client::open(standin.hs2(), "", TIMEOUT), Err(ClientError::Server(_))));
        assert!(get(standin.web(), "/?json").contains("\"is_quiescing\": true"));
        assert!(get(standin.web(), "/healthz").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn the_web_port_shows_the_cluster_and_live_values() {
        let cluster = Cluster::default();
        let start = |name| StandIn::start(name, Options { cluster: cluster.clone(), ..Options::default() });
        let (first, second) = (start("c1").unwrap(), start("c2").unwrap());
        let held = client(&first);
        assert!(get(first.web(), "/backends?json").contains(&second.web().to_string()));
        let metrics = get(first.web(), "/jsonmetrics");
        assert!(metrics.contains("hiveserver2-frontend.connections-in-use\": 1"), "{metrics}");
        assert!(get(first.web(), "/metrics?json").contains("\"metric_group\""));
        assert!(get(first.web(), "/metrics").contains("text/html"));
        assert!(get(first.web(), "/nothing").starts_with("HTTP/1.1 404"));
        first.set_healthy(false);
        assert!(get(first.web(), "/healthz").starts_with("HTTP/1.1 503"));
        second.stop();
        assert!(get(first.web(), "/backends?json").contains("\"num_active_backends\": 1"));
        drop(held);
    }

    #[test]
    fn stopping_closes_everything_and_the_port_can_be_taken_again() {
        let standin = standin("c1");
        let port = standin.hs2().port();
        let mut sleeping = client(&standin);
        let waiter = std::thread::spawn(move || sleeping.query("select sleep(60000)").is_err());
        until("the query runs", || standin.queries() == 1);
        standin.stop();
        assert!(waiter.join().unwrap());
        assert!(TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), TIMEOUT).is_err());
        let again = StandIn::start("c1", Options { hs2_port: port, ..Options::default() }).unwrap();
        assert_eq!(again.hs2().port(), port);
        let taken = StandIn::start("c2", Options { hs2_port: port, ..Options::default() });
        assert!(taken.err().unwrap().to_string().contains(&format!("127.0.0.1:{port}")));
    }
}
