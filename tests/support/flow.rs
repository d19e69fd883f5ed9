//! Clients that send a stream each and check its echo byte by byte, all on one thread.
// Each test that includes this file uses its own part of it.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long all transfers together may take.
pub const TRANSFER: Duration = Duration::from_secs(90);
/// Bytes a client lets be under way before it reads on.
const WINDOW: usize = 200_000;

/// The byte at an offset of a client's stream.
fn byte(client: usize, offset: usize) -> u8 {
    let mixed = (client as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    mixed as u8 ^ (offset as u8).wrapping_mul(31) ^ (offset >> 8) as u8 ^ (offset >> 16) as u8
}

/// Sends back what comes, and closes its direction when the client does.
pub fn echo_to_the_end(mut stream: TcpStream) {
    stream.set_read_timeout(Some(TRANSFER)).unwrap();
    let mut bytes = [0; 65_536];
    while let Ok(n @ 1..) = stream.read(&mut bytes) {
        if stream.write_all(&bytes[..n]).is_err() {
            return;
        }
    }
}

/// Echoes on a thread for each connection; the backlog holds all of them.
pub fn echo_server() -> SocketAddr {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(4096).unwrap();
    let listener: TcpListener = socket.into();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = move || echo_to_the_end(stream);
            std::thread::Builder::new().stack_size(256 << 10).spawn(serve).unwrap();
        }
    });
    address
}

/// A client that sends a stream and checks its echo.
pub struct Client {
    number: usize,
    stream: TcpStream,
    /// Bytes to send.
    pub length: usize,
    sent: usize,
    seen: usize,
    /// It reads no further than this for now.
    pub pause_at: usize,
    /// Bytes under way before it reads on.
    pub window: usize,
    /// Bytes that its test waits for.
    pub aim: usize,
    /// Somebody may cut it off: it ends where it is.
    pub may_be_cut: bool,
    ended: bool,
}

impl Client {
    /// Connects; one that pauses has a small receive buffer.
    pub fn connect(number: usize, address: SocketAddr, length: usize, pause_at: usize) -> Client {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        if pause_at < usize::MAX {
            socket.set_recv_buffer_size(16_384).unwrap();
        }
        socket.connect(&address.into()).unwrap();
        socket.set_nonblocking(true).unwrap();
        Client {
            number,
            stream: socket.into(),
            length,
            sent: 0,
            seen: 0,
            pause_at,
            window: WINDOW,
            aim: 0,
            may_be_cut: false,
            ended: false,
        }
    }

    /// Sends no more, reads to the end.
    pub fn finish(&mut self) {
        self.pause_at = usize::MAX;
        if self.sent < self.length {
            self.length = self.sent;
            self.stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
    }

    /// Bytes that have come back.
    pub fn seen(&self) -> usize {
        self.seen
    }

    fn stalled(&self) -> bool {
        self.seen >= self.pause_at
    }

    fn wants(&self) -> PollFlags {
        let window = if self.stalled() { usize::MAX } else { self.window };
        let mut wants = PollFlags::empty();
        wants.set(PollFlags::IN, !self.stalled());
        wants.set(PollFlags::RDHUP, self.may_be_cut);
        wants.set(PollFlags::OUT, self.sent < self.length && self.sent - self.seen < window);
        wants
    }

    fn advance(&mut self, buffer: &mut [u8]) {
        if self.sent < self.length {
            let n = buffer.len().min(self.window).min(self.length - self.sent);
            for (at, slot) in buffer[..n].iter_mut().enumerate() {
                *slot = byte(self.number, self.sent + at);
            }
            match self.stream.write(&buffer[..n]) {
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) if self.may_be_cut => self.ended = true,
                Err(e) => panic!("client {} cannot write at {}: {e}", self.number, self.sent),
            }
            if self.sent == self.length {
                self.stream.shutdown(std::net::Shutdown::Write).unwrap();
            }
        }
        if self.stalled() {
            return;
        }
        match self.stream.read(buffer) {
            Ok(0) => {
                let complete = self.may_be_cut || self.seen == self.length;
                assert!(complete, "client {} lost the end of its stream at {}", self.number, self.seen);
                self.ended = true;
            }
            Ok(n) => {
                for (at, &got) in buffer[..n].iter().enumerate() {
                    let offset = self.seen + at;
                    assert_eq!(got, byte(self.number, offset), "client {} byte {offset}", self.number);
                }
                self.seen += n;
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) if self.may_be_cut => self.ended = true,
            Err(e) => panic!("client {} cannot read at {}: {e}", self.number, self.seen),
        }
    }
}

/// Lets every client go on once; false: all have ended.
pub fn advance(clients: &mut Vec<Client>, buffer: &mut [u8]) -> bool {
    clients.retain(|client| !client.ended);
    if clients.is_empty() {
        return false;
    }
    let mut polled: Vec<PollFd<'_>> = clients
        .iter()
        .map(|client| PollFd::from_borrowed_fd(client.stream.as_fd(), client.wants()))
        .collect();
    let limit = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    poll(&mut polled, Some(&limit)).unwrap();
    let ready: Vec<PollFlags> = polled.iter().map(PollFd::revents).collect();
    drop(polled);
    let cut = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
    for (client, ready) in clients.iter_mut().zip(ready) {
        if client.may_be_cut && ready.intersects(cut) {
            client.ended = true;
        } else if !ready.is_empty() {
            client.advance(buffer);
        }
    }
    true
}
