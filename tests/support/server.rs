//! Servers behind the proxy: one whose connections the test takes itself, one that refuses, one that
//! never answers a SYN.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::peer::Peer;
use super::port::Port;
use super::{PATIENCE, wait_for};

/// A server address to put in a configuration.
pub enum Server {
    /// The test accepts each connection.
    Listening(TcpListener),
    /// Every connect is answered by RST: the port is held, nobody listens.
    Refusing(Port),
    /// Its accept queue is full, so the kernel drops every SYN.
    Silent { _listener: Socket, _queued: Vec<TcpStream>, port: u16 },
}

impl Server {
    pub fn listening() -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("non-blocking");
        Server::Listening(listener)
    }

    pub fn refusing() -> Server {
        Server::Refusing(Port::reserve())
    }

    pub fn silent() -> Server {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        listener.listen(0).expect("listens");
        let address = listener.local_addr().expect("bound").as_socket().expect("IPv4");
        let mut queued = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            queued.push(stream);
        }
        Server::Silent { _listener: listener, _queued: queued, port: address.port() }
    }

    pub fn port(&self) -> u16 {
        match self {
            Server::Listening(listener) => listener.local_addr().expect("bound").port(),
            Server::Refusing(port) => port.number,
            Server::Silent { port, .. } => *port,
        }
    }

    /// The next connection, or None when there is none within `within`.
    pub fn accept_within(&self, within: Duration) -> Option<Peer> {
        let Server::Listening(listener) = self else { panic!("this server does not accept") };
        wait_for(within, || listener.accept().ok()).map(|(stream, _)| {
            stream.set_nonblocking(false).expect("blocking");
            Peer::over(stream)
        })
    }

    pub fn accept(&self) -> Peer {
        self.accept_within(PATIENCE).expect("the proxy connects to the server")
    }
}
