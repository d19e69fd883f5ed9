//! Sessions as bytes between two processes (versioned), and back. Every length is checked; the names are those
//! of the configuration, since numbers mean something else over there.
//!
//! ```text
//! message  magic u32, version u16, kind u16, length of the body u32, descriptors u32     little endian
//! batch    sessions u32, each as `Named::write` has it, received bytes to the end; its descriptors in their order
//! answer   one byte for each session: 1 taken, 0 not now, 2 never: there is no proxy or server of its names
//! end      sessions that stay for now u32
//! ```

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use crate::ring::cargo::{Cargo, Way};
use crate::session::op::Side;
use crate::session::parcel::Parcel;
use crate::session::termination::Termination;
use crate::session::{Half, HalfState, Phase};

/// "Prnk".
const MAGIC: u32 = 0x6b6e_7250;
/// Changes with everything that is said here.
pub const VERSION: u16 = 1;
/// Bytes before the body.
pub const HEADER: usize = 16;
/// No body is longer: sessions with all their buffers, and as many names.
const LONGEST: u32 = 256 << 20;

const PHASES: [Phase; 3] = [Phase::Established, Phase::Queued, Phase::Holding];
const STATES: [HalfState; 6] = [
    HalfState::Idle,
    HalfState::Listening,
    HalfState::Full,
    HalfState::Ended,
    HalfState::Done,
    HalfState::Broken,
];

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sessions.
    Batch = 1,
    /// Which of them were taken.
    Answer,
    /// Everything that could move has been offered.
    End,
}

/// What becomes of an offered session. What is unknown means that it was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// There is no room for it now.
    Refused = 0,
    /// It goes on with the successor.
    Taken = 1,
    /// The successor has no proxy or server of its names: it need not be offered again.
    Nameless = 2,
}

impl Fate {
    /// Of a byte of an answer; None: there is none for the session.
    pub fn of(byte: Option<&u8>) -> Fate {
        match byte {
            Some(1) => Fate::Taken,
            Some(2) => Fate::Nameless,
            _ => Fate::Refused,
        }
    }
}

/// The bytes say nothing that this version understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl From<Malformed> for std::io::Error {
    fn from(malformed: Malformed) -> std::io::Error {
        std::io::Error::new(std::io::ErrorKind::InvalidData, malformed.0)
    }
}

/// A session with the names of the configuration it lives by.
#[derive(Debug)]
pub struct Named {
    /// State.
    pub parcel: Parcel,
    /// Names and addresses as text; empty: there is none.
    pub frontend: String,
    /// The address that accepted it.
    pub bind: String,
    /// The proxy that serves it.
    pub backend: String,
    /// The server whose slot it holds.
    pub server: String,
    /// Where that is.
    pub server_address: String,
    /// The client.
    pub client: Option<SocketAddr>,
    /// Where it connected to.
    pub local: Option<SocketAddr>,
    /// As in [`crate::worker::mailbox::Moving`].
    pub age_ms: u64,
    /// The same.
    pub queue_ms: i32,
    /// The same.
    pub connect_ms: i32,
    /// The same.
    pub idle_ms: u32,
    /// The same.
    pub phase_ms: u32,
    /// The same.
    pub bytes: [u64; 2],
    /// The same.
    pub queue_place: [u16; 2],
}

/// The head of a message.
pub fn header(kind: Kind, body: usize, descriptors: usize) -> [u8; HEADER] {
    let mut to = Vec::with_capacity(HEADER);
    to.extend_from_slice(&MAGIC.to_le_bytes());
    to.extend_from_slice(&VERSION.to_le_bytes());
    to.extend_from_slice(&(kind as u16).to_le_bytes());
    to.extend_from_slice(&(body as u32).to_le_bytes());
    to.extend_from_slice(&(descriptors as u32).to_le_bytes());
    let mut header = [0; HEADER];
    header.copy_from_slice(&to);
    header
}

/// Kind, length of the body and number of descriptors.
pub fn read_header(header: &[u8; HEADER]) -> Result<(Kind, usize, usize), Malformed> {
    let mut from = Reader(header);
    if from.u32()? != MAGIC {
        return Err(Malformed("it does not hand sessions over"));
    }
    if from.u16()? != VERSION {
        return Err(Malformed("it hands sessions over in another version"));
    }
    let kind = match from.u16()? {
        1 => Kind::Batch,
        2 => Kind::Answer,
        3 => Kind::End,
        _ => return Err(Malformed("a message of an unknown kind")),
    };
    let (length, descriptors) = (from.u32()?, from.u32()?);
    if length > LONGEST {
        return Err(Malformed("a message too long"));
    }
    Ok((kind, length as usize, descriptors as usize))
}

impl Named {
    /// Appends the session's state, names and times, and what its descriptors and received bytes are.
    pub fn write(&self, cargo: &Cargo, to: &mut Vec<u8>) {
        write_parcel(&self.parcel, to);
        write_names(self, to);
        write_times(self, to);
        write_cargo(cargo, to);
    }
}

fn write_parcel(parcel: &Parcel, to: &mut Vec<u8>) {
    to.push(PHASES.iter().position(|phase| *phase == parcel.phase).unwrap_or(usize::MAX) as u8);
    for half in parcel.halves {
        to.push(STATES.iter().position(|state| *state == half.state).unwrap_or(usize::MAX) as u8);
        to.push(u8::from(half.expired));
        to.extend_from_slice(&half.rest.to_le_bytes());
    }
    to.extend_from_slice(&parcel.end.letters());
    to.extend_from_slice(&parcel.retries.to_le_bytes());
    to.extend([parcel.redispatched, parcel.reset_on_close[0], parcel.reset_on_close[1]].map(u8::from));
}

fn write_names(session: &Named, to: &mut Vec<u8>) {
    let address = |address: Option<SocketAddr>| address.map_or(String::new(), |address| address.to_string());
    let names =
        [&session.frontend, &session.bind, &session.backend, &session.server, &session.server_address];
    for text in names.into_iter().chain([&address(session.client), &address(session.local)]) {
        write_text(text, to);
    }
}

fn write_times(session: &Named, to: &mut Vec<u8>) {
    to.extend_from_slice(&session.age_ms.to_le_bytes());
    to.extend_from_slice(&session.queue_ms.to_le_bytes());
    to.extend_from_slice(&session.connect_ms.to_le_bytes());
    to.extend_from_slice(&session.idle_ms.to_le_bytes());
    to.extend_from_slice(&session.phase_ms.to_le_bytes());
    session.bytes.iter().for_each(|bytes| to.extend_from_slice(&bytes.to_le_bytes()));
    session.queue_place.iter().for_each(|place| to.extend_from_slice(&place.to_le_bytes()));
}

fn write_cargo(cargo: &Cargo, to: &mut Vec<u8>) {
    to.extend(cargo.sockets.each_ref().map(|socket| u8::from(socket.is_some())));
    for way in &cargo.ways {
        to.extend_from_slice(&way.queued.to_le_bytes());
        to.push(u8::from(way.pipe.is_some()));
        to.extend_from_slice(&way.piped.to_le_bytes());
        to.push(u8::from(way.eof));
        to.extend_from_slice(&way.error.to_le_bytes());
    }
}

fn write_text(text: &str, to: &mut Vec<u8>) {
    let length = text.len().min(usize::from(u16::MAX));
    to.extend_from_slice(&(length as u16).to_le_bytes());
    to.extend_from_slice(&text.as_bytes()[..length]);
}

/// Its descriptors, in the order in which [`read_session`] takes them.
pub fn descriptors(cargo: &Cargo) -> impl Iterator<Item = &OwnedFd> {
    let pipes = cargo.ways.iter().flat_map(|way| way.pipe.iter().flatten());
    cargo.sockets.iter().flatten().chain(pipes)
}

/// What is left to be read of a body.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed("a message cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("a flag that is neither")),
        }
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let length = usize::from(self.u16()?);
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| Malformed("a name that is no text"))
    }

    fn address(&mut self) -> Result<Option<SocketAddr>, Malformed> {
        let text = self.text()?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| Malformed("an address that is none"))
    }

    fn half(&mut self) -> Result<Half, Malformed> {
        let state = STATES.get(usize::from(self.u8()?)).ok_or(Malformed("an unknown state"))?;
        Ok(Half { state: *state, expired: self.flag()?, rest: self.u32()? })
    }

    fn parcel(&mut self) -> Result<Parcel, Malformed> {
        let phase = PHASES.get(usize::from(self.u8()?)).ok_or(Malformed("an unknown phase"))?;
        Ok(Parcel {
            phase: *phase,
            halves: [self.half()?, self.half()?],
            end: Termination::of_letters(self.array()?).ok_or(Malformed("an unknown termination"))?,
            retries: self.u16()?,
            redispatched: self.flag()?,
            reset_on_close: [self.flag()?, self.flag()?],
        })
    }

    fn cargo(&mut self, descriptors: &mut impl Iterator<Item = OwnedFd>) -> Result<Cargo, Malformed> {
        let mut next = || descriptors.next().ok_or(Malformed("a descriptor is missing"));
        let mut cargo = Cargo::default();
        for side in Side::BOTH {
            cargo.sockets[side.index()] = if self.flag()? { Some(next()?) } else { None };
        }
        for way in &mut cargo.ways {
            let queued = self.u32()?;
            let pipe = if self.flag()? { Some([next()?, next()?]) } else { None };
            *way = Way { queued, pipe, piped: self.u32()?, eof: self.flag()?, error: self.u16()? };
        }
        Ok(cargo)
    }
}

/// Reads a session and takes its descriptors.
pub fn read_session(
    from: &mut Reader<'_>,
    descriptors: &mut impl Iterator<Item = OwnedFd>,
) -> Result<(Named, Cargo), Malformed> {
    let named = Named {
        parcel: from.parcel()?,
        frontend: from.text()?,
        bind: from.text()?,
        backend: from.text()?,
        server: from.text()?,
        server_address: from.text()?,
        client: from.address()?,
        local: from.address()?,
        age_ms: from.u64()?,
        queue_ms: from.i32()?,
        connect_ms: from.i32()?,
        idle_ms: from.u32()?,
        phase_ms: from.u32()?,
        bytes: [from.u64()?, from.u64()?],
        queue_place: [from.u16()?, from.u16()?],
    };
    Ok((named, from.cargo(descriptors)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn session() -> (Named, Cargo) {
        let full = Half { state: HalfState::Full, expired: true, rest: 70_000 };
        let (a, b) = UnixStream::pair().expect("a pair");
        let (c, d) = UnixStream::pair().expect("a pair");
        let pipe = Way { queued: 0, pipe: Some([c.into(), d.into()]), piped: 9, eof: true, error: 104 };
        let named = Named {
            parcel: Parcel {
                phase: Phase::Established,
                halves: [full, Half { state: HalfState::Done, expired: false, rest: 0 }],
                end: Termination::of_letters(*b"cD").expect("letters"),
                retries: 3,
                redispatched: true,
                reset_on_close: [false, true],
            },
            frontend: "impala".into(),
            bind: "127.0.0.1:21050".into(),
            backend: "coordinators".into(),
            server: "i1".into(),
            server_address: "10.0.0.1:21050".into(),
            client: Some(([127, 0, 0, 1], 40_000).into()),
            local: None,
            age_ms: 1 << 40,
            queue_ms: -1,
            connect_ms: 7,
            idle_ms: 8,
            phase_ms: 9,
            bytes: [1 << 50, 2],
            queue_place: [0, 5],
        };
        let ways = [Way { queued: 12, ..Way::default() }, pipe];
        (named, Cargo { sockets: [Some(a.into()), Some(b.into())], ways })
    }

    fn read(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Result<(Named, Cargo), Malformed> {
        read_session(&mut Reader(bytes), &mut descriptors.into_iter())
    }

    fn copies(cargo: &Cargo) -> Vec<OwnedFd> {
        descriptors(cargo).map(|fd| fd.try_clone().expect("a copy")).collect()
    }

    #[test]
    fn a_session_arrives_as_it_was_sent() {
        let ((named, cargo), mut bytes) = (session(), Vec::new());
        named.write(&cargo, &mut bytes);
        let (back, there) = read(&bytes, copies(&cargo)).expect("whole");
        assert_eq!((back.parcel, back.bytes, back.age_ms), (named.parcel, named.bytes, named.age_ms));
        assert_eq!((back.client, back.local, back.queue_ms), (named.client, None, -1));
        let mut again = Vec::new();
        back.write(&there, &mut again);
        assert_eq!((again, there.descriptors()), (bytes, 4));
    }

    #[test]
    fn what_is_cut_short_or_changed_is_an_error_and_never_a_panic() {
        let ((named, cargo), mut bytes) = (session(), Vec::new());
        named.write(&cargo, &mut bytes);
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length], copies(&cargo)).is_err(), "{length} bytes");
        }
        assert_eq!(read(&bytes, Vec::new()).err(), Some(Malformed("a descriptor is missing")));
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..3_000 {
            let mut changed = bytes.clone();
            for _ in 0..rng.usize(1..6) {
                let at = rng.usize(..changed.len());
                changed[at] = rng.u8(..);
            }
            if let Ok((read, _)) = read(&changed, copies(&cargo)) {
                // Whether such a session can be is the session's own question.
                let _ = crate::session::Session::from_parcel(&read.parcel, None);
            }
        }
    }

    #[test]
    fn headers_are_checked() {
        let good = header(Kind::Answer, 5, 0);
        assert_eq!(read_header(&good), Ok((Kind::Answer, 5, 0)));
        for at in 0..8 {
            let mut bad = good;
            bad[at] ^= 0x40;
            assert!(read_header(&bad).is_err(), "byte {at}");
        }
        assert!(read_header(&header(Kind::Batch, u32::MAX as usize, 0)).is_err());
        assert!(read_header(b"Unknown command:").is_err());
    }
}
