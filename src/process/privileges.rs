//! Giving up what a running proxy does not need: the file system, the root user, new privileges.

use std::path::PathBuf;

use super::error::StartError;
use crate::config::model::Global;
use crate::sys::user;

/// What the process becomes after its sockets and files are open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `uid` or `user`; None or 0: stays as it is.
    pub uid: Option<u32>,
    /// `gid` or `group`.
    pub gid: Option<u32>,
    /// `chroot`.
    pub chroot: Option<PathBuf>,
}

/// Looks up the names of `user` and `group`. To be called before chroot.
pub fn identity(global: &Global) -> Result<Identity, StartError> {
    let uid = match &global.user {
        Some(name) => Some(user_named(name)?),
        None => global.uid,
    };
    let gid = match &global.group {
        Some(name) => Some(group_named(name)?),
        None => global.gid,
    };
    let given = |id: Option<u32>| id.filter(|&id| id != 0);
    Ok(Identity { uid: given(uid), gid: given(gid), chroot: global.chroot.clone() })
}

/// The uid of a name that the configuration gives.
pub fn user_named(name: &str) -> Result<u32, StartError> {
    let found = user::user_id(name);
    found.ok().flatten().ok_or_else(|| unknown("user", name, "getent passwd", "useradd --system"))
}

/// The gid of a name that the configuration gives.
pub fn group_named(name: &str) -> Result<u32, StartError> {
    let found = user::group_id(name);
    found.ok().flatten().ok_or_else(|| unknown("group", name, "getent group", "groupadd --system"))
}

fn unknown(what: &str, name: &str, list: &str, create: &str) -> StartError {
    StartError::new(format!("config : cannot find {what} id for '{name}'"))
        .with_cause(format!("this machine knows no {what} of that name"))
        .with_remedy(format!("'{list}' lists those it knows; '{create} {name}' creates it"))
}

impl Identity {
    /// Changes root directory, groups and user, in that order, for the whole process.
    pub fn assume(&self) -> Result<(), StartError> {
        self.confine()?;
        if self.uid.is_some() && user::is_root() {
            user::clear_groups()
                .map_err(|error| refused("drop the supplementary groups".to_owned(), error))?;
        }
        if let Some(gid) = self.gid {
            user::set_group(gid).map_err(|error| refused(format!("set gid {gid}"), error))?;
        }
        if let Some(uid) = self.uid {
            user::set_user(uid).map_err(|error| refused(format!("set uid {uid}"), error))?;
        }
        user::forbid_new_privileges().map_err(|error| refused("give up new privileges".to_owned(), error))
    }

    fn confine(&self) -> Result<(), StartError> {
        let Some(path) = &self.chroot else { return Ok(()) };
        let attempt = || format!("chroot({})", path.display());
        rustix::process::chroot(path).map_err(|error| refused(attempt(), error))?;
        std::env::set_current_dir("/").map_err(|error| refused(attempt(), error))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_numbers() {
        let global = Global { user: Some("root".into()), gid: Some(7), ..Global::default() };
        assert_eq!(identity(&global).expect("root"), Identity { uid: None, gid: Some(7), chroot: None });
    }

    #[test]
    fn an_unknown_user_is_explained() {
        let global = Global { user: Some("no-such-user-pronk".into()), ..Global::default() };
        let error = identity(&global).expect_err("unknown");
        assert!(error.to_string().contains("cannot find user id for 'no-such-user-pronk'"));
        assert!(error.help().contains("useradd"));
    }
}
