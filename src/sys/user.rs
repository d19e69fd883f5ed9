//! Users, groups, and giving up privileges for the whole process (rustix changes one thread only).

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;

/// Entries of the user and group databases may be long; getpwnam_r answers ERANGE above this.
const BUFFER_LEN: usize = 65_536;

fn c_name(name: &str) -> io::Result<CString> {
    CString::new(name).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// The uid of a user name; Ok(None) when there is no such user.
pub fn user_id(name: &str) -> io::Result<Option<u32>> {
    let name = c_name(name)?;
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut buffer = vec![0; BUFFER_LEN];
    let mut found = std::ptr::null_mut();
    // SAFETY: `name` is NUL terminated; `entry` and `found` are valid for writes; `buffer` is writable for its length.
    let code = unsafe {
        libc::getpwnam_r(name.as_ptr(), entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &mut found)
    };
    if found.is_null() {
        return if code == 0 { Ok(None) } else { Err(io::Error::from_raw_os_error(code)) };
    }
    // SAFETY: a non-null `found` means that the call initialised `entry`.
    Ok(Some(unsafe { entry.assume_init() }.pw_uid))
}

/// The gid of a group name; Ok(None) when there is no such group.
pub fn group_id(name: &str) -> io::Result<Option<u32>> {
    let name = c_name(name)?;
    let mut entry = MaybeUninit::<libc::group>::uninit();
    let mut buffer = vec![0; BUFFER_LEN];
    let mut found = std::ptr::null_mut();
    // SAFETY: `name` is NUL terminated; `entry` and `found` are valid for writes; `buffer` is writable for its length.
    let code = unsafe {
        libc::getgrnam_r(name.as_ptr(), entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &mut found)
    };
    if found.is_null() {
        return if code == 0 { Ok(None) } else { Err(io::Error::from_raw_os_error(code)) };
    }
    // SAFETY: a non-null `found` means that the call initialised `entry`.
    Ok(Some(unsafe { entry.assume_init() }.gr_gid))
}

fn checked(code: libc::c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether this process has the effective uid 0.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives up all supplementary groups.
pub fn clear_groups() -> io::Result<()> {
    // SAFETY: with a count of 0 the list is not read.
    checked(unsafe { libc::setgroups(0, std::ptr::null()) })
}

/// Sets the group ids of every thread of the process.
pub fn set_group(gid: u32) -> io::Result<()> {
    // SAFETY: setgid has no memory preconditions.
    checked(unsafe { libc::setgid(gid) })
}

/// Sets the user ids of every thread of the process.
pub fn set_user(uid: u32) -> io::Result<()> {
    // SAFETY: setuid has no memory preconditions.
    checked(unsafe { libc::setuid(uid) })
}

/// No program that this process executes can gain privileges any more.
pub fn forbid_new_privileges() -> io::Result<()> {
    Ok(rustix::thread::set_no_new_privs(true)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_root() {
        assert_eq!(user_id("root").expect("a user database"), Some(0));
        assert_eq!(group_id("root").expect("a group database"), Some(0));
    }

    #[test]
    fn says_none_for_unknown_names() {
        assert_eq!(user_id("no-such-user-pronk").expect("a user database"), None);
        assert_eq!(group_id("no-such-group-pronk").expect("a group database"), None);
        assert!(user_id("a\0b").is_err());
    }
}
