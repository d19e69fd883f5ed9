//! Opening every target while paths and rights are still those of the start.

use std::io;

use crate::config::model::{Config, LogAddress, LogTarget};
use crate::process::error::StartError;
use crate::sys::descriptor::duplicate;

use super::datagram::{UdpTarget, UnixTarget};
use super::descriptor::DescriptorTarget;
use super::file::FileTarget;
use super::{Target, Transport, named};
use crate::log::clock::LocalClock;

/// Every log target, opened, and the time zone: what a later chroot would hide.
#[derive(Debug)]
pub struct Targets {
    pub(in crate::log) targets: Vec<Target>,
    pub(in crate::log) clock: LocalClock,
}

/// Opens every log target. Call before chroot and before rights are given up; `start` may come later,
/// after a fork.
///
/// A syslog daemon that does not answer is no error. A file that cannot be written and a descriptor
/// that is not open are.
pub fn open(config: &Config) -> Result<Targets, StartError> {
    let follow_files = config.global.chroot.is_none();
    let open_one = |target: &LogTarget| -> Result<Target, StartError> {
        let transport = transport(&target.address, follow_files).map_err(|errno| explain(target, errno))?;
        Ok(Target { config: target.clone(), transport, complained: false })
    };
    let targets = config.log_targets.iter().map(open_one).collect::<Result<_, _>>()?;
    Ok(Targets { targets, clock: LocalClock::of_this_machine() })
}

fn transport(address: &LogAddress, follow_files: bool) -> io::Result<Transport> {
    Ok(match address {
        LogAddress::Udp(to) => Transport::Udp(UdpTarget::open(*to)?),
        LogAddress::Unix(path) => Transport::Unix(UnixTarget::open(path.clone())),
        LogAddress::Fd(number) => Transport::Descriptor(DescriptorTarget::open(duplicate(*number)?)?),
        LogAddress::File(path) => Transport::File(FileTarget::open(path.clone(), follow_files)?),
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
            "its directory does not exist, or this user may not write there",
            "create the directory and check its owner and mode with `ls -ld`",
        ),
    };
    let error = StartError::new(attempted).on(named(&target.address)).with_errno(errno);
    error.with_cause(cause).with_remedy(remedy)
}
