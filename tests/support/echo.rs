//! A server of threads that treats every connection alike, for tests that open many.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

const STACK: usize = 256 * 1024;

/// Accepts on a port of the kernel's and gives each connection to `serve` on its own thread. Dropping
/// it closes the port; connections end by themselves.
pub struct Threads {
    port: u16,
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    acceptor: Option<JoinHandle<()>>,
}

impl Threads {
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Threads {
        Threads::start_on(0, serve)
    }

    /// The same on a given port, for a server that comes back.
    pub fn start_on(port: u16, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Threads {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, count, serve) = (stop.clone(), served.clone(), Arc::new(serve));
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let serve = serve.clone();
                let spawned = thread::Builder::new().stack_size(STACK).spawn(move || serve(stream));
                spawned.expect("a thread");
            }
        });
        Threads { port, stop, served, acceptor: Some(acceptor) }
    }

    /// Sends back what it receives, and FIN for FIN.
    pub fn echo() -> Threads {
        Threads::start(echo)
    }

    /// Says who it is, then reads until the client leaves.
    pub fn naming(name: u8) -> Threads {
        Threads::naming_on(0, name)
    }

    pub fn naming_on(port: u16, name: u8) -> Threads {
        Threads::start_on(port, move |mut stream| {
            if stream.write_all(&[name]).is_ok() {
                drain(&mut stream);
            }
        })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connections accepted so far.
    pub fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor; when it cannot be reached it has ended already.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Sends back what arrives until the other side leaves.
pub fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(n) = stream.read(&mut buffer) {
        if n == 0 || stream.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    // Fails when the client has reset.
    let _ = stream.shutdown(Shutdown::Write);
}

/// Reads until the other side leaves.
pub fn drain(stream: &mut TcpStream) {
    let mut buffer = [0; 64 * 1024];
    while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
}
