//! What systemd is told (sd_notify(3)): one datagram a state, with HAProxy's texts.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};

/// Who is told; nobody without `-Ws`, or without a supervisor that asks for it.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<OsString>,
}

impl Supervisor {
    /// The one that NOTIFY_SOCKET names.
    pub fn of_environment() -> Supervisor {
        Supervisor { socket: std::env::var_os("NOTIFY_SOCKET") }
    }

    /// The first worker runs, or another one since a reload.
    pub fn ready(&self) {
        self.tell(&format!("READY=1\nMAINPID={}\nSTATUS=Ready.\n", std::process::id()));
    }

    /// A reload begins.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let usec = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.tell(&format!("RELOADING=1\nSTATUS=Reloading Configuration.\nMONOTONIC_USEC={usec}\n"));
    }

    /// The worker from before goes on.
    pub fn failed(&self) {
        self.tell("READY=1\nSTATUS=Reload failed!\n");
    }

    /// A supervisor that does not listen is its own problem.
    fn tell(&self, text: &str) {
        let Some(name) = &self.socket else { return };
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(name),
        };
        let told = address.and_then(|to| UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &to));
        if let Err(error) = told {
            tracing::warn!(%error, "cannot notify the supervisor");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_haproxys() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let heard = UnixDatagram::bind(&path).expect("bound");
        let supervisor = Supervisor { socket: Some(path.into()) };
        let next = || {
            let mut text = [0; 256];
            let length = heard.recv(&mut text).expect("told");
            String::from_utf8_lossy(&text[..length]).into_owned()
        };
        supervisor.ready();
        assert_eq!(next(), format!("READY=1\nMAINPID={}\nSTATUS=Ready.\n", std::process::id()));
        supervisor.reloading();
        let text = next();
        let usec = text.strip_prefix("RELOADING=1\nSTATUS=Reloading Configuration.\nMONOTONIC_USEC=");
        let usec = usec.and_then(|text| text.strip_suffix('\n')).and_then(|text| text.parse::<u64>().ok());
        assert!(usec.is_some_and(|usec| usec > 0), "{text}");
        supervisor.failed();
        assert_eq!(next(), "READY=1\nSTATUS=Reload failed!\n");
        Supervisor::default().ready();
    }
}
