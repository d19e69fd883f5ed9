//! Reading what the configuration is made of: files, directories, the environment, host names.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bond;
use super::error::strerror;
use crate::config::address::{HostFamily, HostName};
use crate::config::{self, Environment, Source, Supplies, Wants};
use crate::sys::user;

/// A file or directory that cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub errno: io::Error,
}

/// The files of the command line: a directory stands for its non-hidden `*.cfg` files in C-locale order.
pub fn expand(files: &[PathBuf]) -> Result<Vec<PathBuf>, Unreadable> {
    let mut expanded = Vec::new();
    for path in files {
        let unreadable = |errno| Unreadable { path: path.clone(), errno };
        if std::fs::metadata(path).map_err(unreadable)?.is_dir() {
            expanded.extend(directory(path).map_err(unreadable)?);
        } else {
            expanded.push(path.clone());
        }
    }
    Ok(expanded)
}

fn directory(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names: Vec<OsString> = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_config_name(&name) && std::fs::metadata(entry.path())?.is_file() {
            names.push(name);
        }
    }
    names.sort_by(|a, b| a.as_encoded_bytes().cmp(b.as_encoded_bytes()));
    Ok(names.into_iter().map(|name| path.join(name)).collect())
}

/// Whether a file of this name in a directory belongs to the configuration.
pub fn is_config_name(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    bytes.ends_with(b".cfg") && !bytes.starts_with(b".")
}

/// Reads every file.
pub fn read(files: &[PathBuf]) -> Result<Vec<Source>, Unreadable> {
    let read_one = |path: &PathBuf| match std::fs::read(path) {
        Ok(text) => Ok(Source { name: path.display().to_string(), text }),
        Err(errno) => Err(Unreadable { path: path.clone(), errno }),
    };
    files.iter().map(read_one).collect()
}

/// The process's variables and those that HAProxy predefines.
pub fn environment(files: &[PathBuf], local_peer: Option<&str>) -> Environment {
    environment_of(files, local_peer, has_master())
}

/// Whether a master has started this process.
pub fn has_master() -> bool {
    std::env::var_os("PRONK_WORKER").is_some()
}

/// The same for a process that may have a master.
pub fn environment_of(files: &[PathBuf], local_peer: Option<&str>, has_master: bool) -> Environment {
    let variables = std::env::vars_os();
    let mut environment: Environment = variables
        .filter(|(name, _)| name != bond::VARIABLE)
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if let Some(peer) = local_peer {
        environment.set("HAPROXY_LOCALPEER", peer);
    }
    environment.predefine(&names, &hostname(), has_master);
    environment
}

/// This machine's name.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Looks up what a configuration asks for, and what the files that it names ask for.
pub fn supply(sources: &[Source], environment: &Environment, ipv4_first: bool) -> Supplies {
    let mut supplies = Supplies::default();
    loop {
        let wants = config::wants(sources, environment, &supplies);
        let may_want_more = !wants.files.is_empty();
        fetch(wants, ipv4_first, &mut supplies);
        if !may_want_more {
            return supplies;
        }
    }
}

/// Addresses with the system's resolver, users, groups, texts of files.
fn fetch(wants: Wants, ipv4_first: bool, supplies: &mut Supplies) {
    for host in wants.hosts {
        let answer = resolve(&host, ipv4_first);
        supplies.hosts.add(host, answer);
    }
    for name in wants.users {
        let answer = account(user::user_id(&name));
        supplies.users.add(name, answer);
    }
    for name in wants.groups {
        let answer = account(user::group_id(&name));
        supplies.groups.add(name, answer);
    }
    for name in wants.files {
        let answer = pattern_file(&name);
        supplies.files.add(name, answer);
    }
}

/// The text of a file that an ACL names: `PATH`, `file@PATH`, or `opt@PATH`, which may be absent.
fn pattern_file(name: &str) -> Result<Arc<str>, String> {
    let optional = name.strip_prefix("opt@");
    let path = optional.or(name.strip_prefix("file@")).unwrap_or(name);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && optional.is_some() => return Ok("".into()),
        Err(_) => return Err(format!("failed to open pattern file <{path}>")),
    };
    let mut bytes = Vec::new();
    match file.read_to_end(&mut bytes) {
        Ok(_) => Ok(String::from_utf8_lossy(&bytes).into()),
        Err(error) => Err(format!("error encountered while reading  <{path}> : {}", strerror(&error))),
    }
}

/// A name that is not there is, as for HAProxy, no failure of the system.
fn account(found: io::Result<Option<u32>>) -> Result<u32, String> {
    let error = match found {
        Ok(Some(id)) => return Ok(id),
        Ok(None) => io::Error::from_raw_os_error(0),
        Err(error) => error,
    };
    Err(format!("{}:{}", error.raw_os_error().unwrap_or(0), strerror(&error)))
}

fn resolve(host: &HostName, ipv4_first: bool) -> Result<IpAddr, String> {
    let found = (host.name.as_str(), 0).to_socket_addrs().map_err(|error| error.to_string())?;
    let wanted = |address: &IpAddr| match host.family {
        HostFamily::Any => true,
        HostFamily::V4 => address.is_ipv4(),
        HostFamily::V6 => address.is_ipv6(),
    };
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).filter(wanted).collect();
    if ipv4_first {
        addresses.sort_by_key(IpAddr::is_ipv6);
    }
    addresses.into_iter().next().ok_or_else(|| "the name has no address of the wanted family".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_its_cfg_files_in_byte_order() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["b.cfg", "a.cfg", "Z.cfg", ".hidden.cfg", "c.txt"] {
            std::fs::write(dir.path().join(name), name).expect("a file");
        }
        std::fs::create_dir(dir.path().join("d.cfg")).expect("a directory");
        let files = expand(&[dir.path().to_owned()]).expect("readable");
        let names: Vec<_> = files.iter().filter_map(|path| path.file_name()).collect();
        assert_eq!(names, ["Z.cfg", "a.cfg", "b.cfg"]);
        let sources = read(&files).expect("readable");
        assert_eq!(sources[1].text, b"a.cfg");
    }

    #[test]
    fn a_missing_file_is_named() {
        let missing = PathBuf::from("/nonexistent/h.cfg");
        assert_eq!(expand(std::slice::from_ref(&missing)).expect_err("missing").path, missing);
        let error = read(std::slice::from_ref(&missing)).expect_err("missing");
        assert_eq!((error.path, error.errno.kind()), (missing, io::ErrorKind::NotFound));
    }

    #[test]
    fn accounts_are_looked_up_and_missing_ones_told_as_haproxy_does() {
        let name = |name: &str| std::collections::BTreeSet::from([name.to_owned()]);
        let (users, groups) = (name("root"), name("no-such-group-pronk"));
        let mut supplies = Supplies::default();
        fetch(Wants { users, groups, ..Wants::default() }, false, &mut supplies);
        assert_eq!(supplies.users.of(&"root".to_owned()), Ok(0));
        assert_eq!(supplies.groups.of(&"no-such-group-pronk".to_owned()), Err("0:Success".to_owned()));
    }

    #[test]
    fn names_are_looked_up_by_family() {
        let v4 = HostName { name: "127.0.0.1".to_owned(), family: HostFamily::V4 };
        assert_eq!(resolve(&v4, false), Ok(IpAddr::from([127, 0, 0, 1])));
        assert!(resolve(&HostName { family: HostFamily::V6, ..v4 }, false).is_err());
    }
}
