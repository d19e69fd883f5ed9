//! Giving up what a running proxy does not need: the file system, the root user, new privileges.

use std::path::Path;

use super::error::StartError;
use crate::config::model::Global;
use crate::sys::user;

/// Changes root directory, groups and user, in that order, for the whole process. As in HAProxy an id of 0 is
/// none.
pub fn give_up(global: &Global) -> Result<(), StartError> {
    let given = |id: Option<u32>| id.filter(|&id| id != 0);
    let (uid, gid) = (given(global.uid), given(global.gid));
    if let Some(path) = &global.chroot {
        confine(path)?;
    }
    // Who gives up root's group alone gives up the others of root with it.
    if (uid.is_some() || gid.is_some()) && user::is_root() {
        user::clear_groups().map_err(|error| refused("drop the supplementary groups".to_owned(), error))?;
    }
    if let Some(gid) = gid {
        user::set_group(gid).map_err(|error| refused(format!("set gid {gid}"), error))?;
    }
    if let Some(uid) = uid {
        user::set_user(uid).map_err(|error| refused(format!("set uid {uid}"), error))?;
    }
    user::forbid_new_privileges().map_err(|error| refused("give up new privileges".to_owned(), error))
}

/// Whether there is a root directory to change to, before others could notice that this process has begun.
pub fn examine(global: &Global) -> Result<(), StartError> {
    let Some(path) = &global.chroot else { return Ok(()) };
    let errno = match std::fs::metadata(path) {
        Err(error) => error,
        Ok(found) if !found.is_dir() => std::io::Error::from_raw_os_error(libc::ENOTDIR),
        Ok(_) => return Ok(()),
    };
    Err(refused(format!("chroot({})", path.display()), errno))
}

fn confine(path: &Path) -> Result<(), StartError> {
    let attempt = || format!("chroot({})", path.display());
    rustix::process::chroot(path).map_err(|error| refused(attempt(), error))?;
    std::env::set_current_dir("/").map_err(|error| refused(attempt(), error))
}

fn refused(what: String, error: impl Into<std::io::Error>) -> StartError {
    let error = error.into();
    let (cause, remedy) = match error.raw_os_error() {
        Some(libc::EPERM) => (
            "only root may do that",
            "start as root, or remove chroot, user, group, uid and gid from the global section",
        ),
        Some(libc::ENOENT | libc::ENOTDIR) => {
            ("there is no such directory", "create it, empty and owned by root, with 'install -d -m 755'")
        }
        _ => ("the kernel refused", "check the chroot, user and group lines of the global section"),
    };
    StartError::new(format!("[haproxy.main()] Cannot {what}"))
        .with_errno(error)
        .with_cause(cause)
        .with_remedy(remedy)
}
