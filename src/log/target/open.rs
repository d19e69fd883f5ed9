//! Opening every target while paths and rights are still those of the start.

use std::io;
use std::os::fd::OwnedFd;

use crate::config::model::{Config, LogAddress, LogTarget};
use crate::process::error::StartError;
use crate::sys::daemon::dev_null;
use crate::sys::descriptor::duplicate;

use super::datagram::{self, UdpTarget, UnixTarget};
use super::descriptor::DescriptorTarget;
use super::file::{self, FileTarget};
use super::{Alarm, Target, Transport, named};
use crate::log::clock::LocalClock;

/// Every log target, opened, and the time zone: what a later chroot would hide.
#[derive(Debug)]
pub struct Targets {
    pub(in crate::log) targets: Vec<Target>,
    pub(in crate::log) clock: LocalClock,
    pub(in crate::log) alarm: Alarm,
}

impl Targets {
    /// With somebody who hears, once for each, of targets that take no lines. No other target gets a line meanwhile:
    /// `say` must not wait for anybody.
    pub fn complaining_to(self, say: impl Fn(&str) + Send + 'static) -> Targets {
        Targets { alarm: Alarm(Box::new(say)), ..self }
    }
}

/// Opens every log target. Call before chroot and before rights are given up; `start` may come later,
/// after a fork.
///
/// A syslog daemon that does not answer is no error. A file that cannot be written and a descriptor
/// that is not open are. `silent` processes, those in the background or quiet, have /dev/null for the standard
/// streams, as in HAProxy: whoever started them must see the end of its pipe.
pub fn open(config: &Config, silent: bool) -> Result<Targets, StartError> {
    let opening = Opening { follow_files: config.global.chroot.is_none(), silent };
    let targets = config.log_targets.iter().map(|target| open_target(target, opening));
    let targets = targets.collect::<Result<_, _>>()?;
    Ok(Targets { targets, clock: LocalClock::of_this_machine(), alarm: Alarm::default() })
}

/// How targets are opened.
#[derive(Clone, Copy, Debug)]
struct Opening {
    /// A log file that was moved away is made anew.
    follow_files: bool,
    silent: bool,
}

/// Targets that only a later configuration has.
#[derive(Debug, Default)]
pub struct Additions {
    pub(in crate::log) opened: Vec<Target>,
}

/// Somebody who has kept root's rights and paths, and opens for this process.
pub type Opener<'a> = &'a dyn Fn(&LogAddress) -> io::Result<OwnedFd>;

/// Opens what `config` has and `running` has not, in the process as it is now, or by `opener` what has a path.
///
/// # Errors
/// As [`open`]; and without an opener a new file under a chroot, where its path would name another one.
pub fn additions(
    config: &Config,
    running: &Config,
    opener: Option<Opener<'_>>,
) -> Result<Additions, StartError> {
    let confined = running.global.chroot.is_some();
    // In the background the streams are /dev/null by now.
    let opening = Opening { follow_files: !confined, silent: running.global.quiet };
    let new = config.log_targets.iter().filter(|target| !running.log_targets.contains(target));
    let open_one = |target: &LogTarget| match (&target.address, opener) {
        (LogAddress::File(path), Some(opener)) => {
            let file = opener(&target.address).map_err(|errno| explain(target, errno))?;
            let file = FileTarget::of(path.clone(), file, opening.follow_files);
            Ok(Target::new(target, Transport::File(file)))
        }
        (LogAddress::Unix(path), Some(opener)) => {
            // As at the start: a daemon that is not there yet is tried again, by the path that this process sees.
            let unix = opener(&target.address).map_or_else(
                |_| UnixTarget::open(path.clone()),
                |socket| UnixTarget::of(path.clone(), socket),
            );
            Ok(Target::new(target, Transport::Unix(unix)))
        }
        (LogAddress::File(_), None) if confined => Err(hidden(target)),
        _ => open_target(target, opening),
    };
    Ok(Additions { opened: new.map(open_one).collect::<Result<_, _>>()? })
}

/// What an [`Opener`] does: the file, or the connection with a syslog daemon's socket.
///
/// # Errors
/// What the kernel says; EINVAL where the address is no path.
pub fn open_path(address: &LogAddress) -> io::Result<OwnedFd> {
    match address {
        LogAddress::File(path) => file::append_to(path).map(Into::into),
        LogAddress::Unix(path) => datagram::connect(path).map(Into::into),
        LogAddress::Udp(_) | LogAddress::Fd(_) => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn open_target(target: &LogTarget, opening: Opening) -> Result<Target, StartError> {
    let transport = transport(&target.address, opening).map_err(|errno| explain(target, errno))?;
    Ok(Target::new(target, transport))
}

#[cold]
fn hidden(target: &LogTarget) -> StartError {
    StartError::new("cannot open another log file in the running process")
        .on(named(&target.address))
        .with_cause("chroot hides its path")
        .with_remedy("restart, or log to a syslog server")
}

fn transport(address: &LogAddress, opening: Opening) -> io::Result<Transport> {
    Ok(match address {
        LogAddress::Udp(to) => Transport::Udp(UdpTarget::open(*to)?),
        LogAddress::Unix(path) => Transport::Unix(UnixTarget::open(path.clone())),
        LogAddress::Fd(0..=2) if opening.silent => {
            Transport::Descriptor(DescriptorTarget::open(dev_null()?.into())?)
        }
        LogAddress::Fd(number) => Transport::Descriptor(DescriptorTarget::open(duplicate(*number)?)?),
        LogAddress::File(path) => Transport::File(FileTarget::open(path.clone(), opening.follow_files)?),
    })
}

#[cold]
fn explain(target: &LogTarget, errno: io::Error) -> StartError {
    let (attempted, cause, remedy) = match &target.address {
        LogAddress::Udp(_) => (
            "cannot open a UDP socket for logs",
            "the address family is switched off on this machine, or no descriptor is left",
            "log to an address of another family, or raise the limit with `ulimit -n`",
        ),
        LogAddress::Unix(_) => (
            "cannot open a Unix socket for logs",
            "no descriptor is left for this process",
            "raise the limit with `ulimit -n`",
        ),
        LogAddress::Fd(_) => (
            "cannot log to an inherited descriptor",
            "whoever started this process did not leave that descriptor open",
            "pass it on, as in `pronk -f haproxy.cfg 3>>pronk.log`, or log to stdout",
        ),
        LogAddress::File(_) => (
            "cannot open the log file",
            "its directory does not exist, this user may not write there, or it is a pipe that nobody reads",
            "create the directory and check its owner and mode with `ls -ld`",
        ),
    };
    let error = StartError::new(attempted).on(named(&target.address)).with_errno(errno);
    error.with_cause(cause).with_remedy(remedy)
}
