//! A gateway inside this process: real workers on real sockets, without the rest of the process around them.

// Each test or bench that includes this file uses its own part of it.
#![allow(dead_code, clippy::unwrap_used)]

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pronk::config::model::{Bind, BindId, Config, ListenAddress, Proxy, ProxyId, ProxyKind, Server};
use pronk::load::Load;
use pronk::ring::Spinning;
use pronk::stats::counters::WorkerCounters;
use pronk::sys::socket::{Buffers, ListenOptions, listen, local_address};
use pronk::table::TablePublisher;
use pronk::worker::mailbox::{Command, Crew, crew};
use pronk::worker::{Clock, Peers, Setup, run};
use tokio::runtime::Runtime;

/// How long any wait may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A listen section on a port of the kernel's choice, with its servers, on some workers.
pub struct Gateway {
    /// Where clients connect.
    pub address: SocketAddr,
    /// The way to all workers.
    pub crew: Crew,
    /// Delivers what they give back.
    runtime: Runtime,
    /// Live counts.
    pub load: Arc<Load>,
    /// One for each worker.
    pub counters: Vec<Arc<WorkerCounters>>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    pub publisher: TablePublisher,
}

impl Gateway {
    /// Listens for `servers` with the configuration as `change` leaves it.
    pub fn start(workers: usize, servers: &[SocketAddr], change: impl FnOnce(&mut Config)) -> Gateway {
        Gateway::start_hooked(workers, servers, change, || {})
    }

    /// The same; `hook` runs first on each worker's thread.
    pub fn start_hooked(
        workers: usize,
        servers: &[SocketAddr],
        change: impl FnOnce(&mut Config),
        hook: fn(),
    ) -> Gateway {
        let mut proxy = Proxy::new("impala", ProxyKind::Listen);
        proxy.default_backend = Some(ProxyId(0));
        proxy.binds = vec![BindId(0)];
        for (number, address) in (1..).zip(servers) {
            proxy.servers.push(Server::new(format!("i{number}"), number, *address));
        }
        let mut config = Config { proxies: vec![proxy], binds: vec![bind()], ..Config::default() };
        change(&mut config);
        Gateway::run(workers, config, hook)
    }

    fn run(workers: usize, config: Config, hook: fn()) -> Gateway {
        let config = Arc::new(config);
        let tune = &config.global.tune;
        let buffers = Buffers { receive: tune.rcvbuf_client, send: tune.sndbuf_client };
        let options = ListenOptions { backlog: 1024, reuseport: true, buffers, ..ListenOptions::default() };
        let first = listen(&config.binds[0].address, &options).unwrap();
        let address = local_address(first.as_fd()).unwrap();
        let mut sockets = vec![first];
        sockets.extend((1..workers).map(|_| listen(&ListenAddress::Tcp(address), &options).unwrap()));
        let load = Arc::new(Load::new(&config, workers));
        let mut publisher = TablePublisher::new(Arc::clone(&config), &load);
        let targets = pronk::log::open(&config, false).unwrap();
        let (_log, sinks) = pronk::log::start(Arc::clone(&config), targets, workers, "host").unwrap();
        let peers = Arc::new(Peers::new(workers));
        let clock = Clock { start: Instant::now(), epoch_us: 0 };
        let (crew, mailboxes, returns) = crew(workers).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.spawn(returns.deliver());
        let sleepers = crew.clone();
        publisher.on_eviction(move || sleepers.wake());
        let mut gateway = Gateway {
            address,
            crew,
            runtime,
            threads: Vec::new(),
            load: Arc::clone(&load),
            counters: Vec::new(),
            publisher,
        };
        for (index, ((socket, log), mailbox)) in sockets.into_iter().zip(sinks).zip(mailboxes).enumerate() {
            let counters = Arc::new(WorkerCounters::new(&config, load.server_capacity()));
            let setup = Setup {
                index,
                listeners: vec![(BindId(0), socket)],
                table: gateway.publisher.reader(),
                load: Arc::clone(&load),
                counters: Arc::clone(&counters),
                log,
                mailbox,
                peers: Arc::clone(&peers),
                clock,
                maxconn: config.global.maxconn.unwrap_or(2000),
                pipes: 1000,
                spin: Spinning::Never,
                incoming_cpu: None,
            };
            gateway.counters.push(counters);
            gateway.threads.push(std::thread::spawn(move || {
                hook();
                run(setup, || ())
            }));
        }
        gateway
    }

    /// A client with deadlines.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Waits until no session holds anything any more.
    pub fn settle(&self) {
        let end = Instant::now() + PATIENCE;
        while self.load.process().live() > 0 {
            assert!(Instant::now() < end, "{} sessions do not end", self.load.process().live());
            std::thread::yield_now();
        }
        assert_eq!(self.load.frontend(ProxyId(0)).live(), 0);
        assert_eq!(self.load.backend(ProxyId(0)).live(), 0);
    }

    /// Publishes the configuration as `change` leaves it, and waits until every worker has seen it.
    pub fn replace(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = Config::clone(&self.publisher.snapshot().config);
        change(&mut config);
        self.publisher.count_in(self.counters.clone());
        self.publisher.replace(Arc::new(config), &self.load, 0);
        for worker in 0..self.crew.count() {
            self.order(worker, Command::Listen(Vec::new()));
        }
    }

    /// Listens for a bind of the configuration on every worker. Answers where.
    pub fn listen(&self, bind: BindId) -> SocketAddr {
        let options = ListenOptions { backlog: 1024, reuseport: true, ..ListenOptions::default() };
        let first = listen(&ListenAddress::Tcp(([127, 0, 0, 1], 0).into()), &options).unwrap();
        let address = local_address(first.as_fd()).unwrap();
        let mut sockets = vec![first];
        let others = 1..self.crew.count();
        sockets.extend(others.map(|_| listen(&ListenAddress::Tcp(address), &options).unwrap()));
        for (worker, socket) in sockets.into_iter().enumerate() {
            self.order(worker, Command::Listen(vec![(bind, socket)]));
        }
        address
    }

    /// Gives a worker an order and waits for it.
    pub fn order(&self, worker: usize, command: Command) -> Command {
        self.runtime.block_on(self.crew.order(worker, command)).expect("the worker runs")
    }

    /// Stops and joins the workers.
    pub fn stop(mut self, command: fn() -> Command) {
        assert!(self.crew.tell(command));
        for thread in self.threads.drain(..) {
            thread.join().unwrap().unwrap();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.crew.tell(|| Command::HardStop);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The address of the section, on a port of the kernel's choice.
pub fn bind() -> Bind {
    Bind::new(ProxyId(0), 1, ListenAddress::Tcp(([127, 0, 0, 1], 0).into()))
}

/// A server that serves each connection by `serve` on a thread of its own.
pub fn server(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Sends back what comes.
pub fn echo(mut stream: TcpStream) {
    let mut bytes = [0; 65_536];
    while let Ok(n @ 1..) = io::Read::read(&mut stream, &mut bytes) {
        if io::Write::write_all(&mut stream, &bytes[..n]).is_err() {
            return;
        }
    }
}
