//! The configuration's files, also when a chroot hides their paths.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};

use super::sources::{self, Unreadable};
use crate::config::Source;

/// The files and directories of the command line.
#[derive(Debug)]
pub struct Files {
    given: Vec<PathBuf>,
    /// What a chroot would hide, opened before it; None: paths do.
    kept: Option<Vec<Kept>>,
}

/// Where one of them is.
#[derive(Debug)]
struct Kept {
    directory: OwnedFd,
    /// None: the directory itself was given.
    name: Option<OsString>,
}

impl Files {
    /// As given.
    pub fn new(given: &[PathBuf]) -> Files {
        Files { given: given.to_vec(), kept: None }
    }

    /// Opens the directories that hold them, to be read later whatever a chroot has hidden.
    pub fn keep(&mut self) -> io::Result<()> {
        self.kept = Some(self.given.iter().map(|path| keep(path)).collect::<io::Result<_>>()?);
        Ok(())
    }

    /// Whether names of this machine are hidden too: hosts, users, groups.
    pub fn are_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Every file, as it is now; a directory stands for its non-hidden `*.cfg` files in C-locale order.
    pub fn read(&self) -> Result<Vec<Source>, Unreadable> {
        let Some(kept) = &self.kept else { return sources::read(&sources::expand(&self.given)?) };
        let mut sources = Vec::new();
        for (path, kept) in self.given.iter().zip(kept) {
            let unreadable = |errno| Unreadable { path: path.clone(), errno };
            match &kept.name {
                Some(name) => sources.push(read_in(&kept.directory, name, path).map_err(unreadable)?),
                None => {
                    for name in names_in(&kept.directory).map_err(unreadable)? {
                        let path = path.join(&name);
                        sources.push(read_in(&kept.directory, &name, &path).map_err(unreadable)?);
                    }
                }
            }
        }
        Ok(sources)
    }
}

fn keep(path: &Path) -> io::Result<Kept> {
    let open = |path: &Path| {
        rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    };
    if std::fs::metadata(path)?.is_dir() {
        return Ok(Kept { directory: open(path)?, name: None });
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(Kept { directory: open(parent)?, name: path.file_name().map(OsStr::to_owned) })
}

fn read_in(directory: &OwnedFd, name: &OsStr, shown: &Path) -> io::Result<Source> {
    let mut file = File::from(openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?);
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(Source { name: shown.display().to_string(), text })
}

fn names_in(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
    let listed = openat(directory, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::read_from(listed.as_fd())? {
        let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
        if sources::is_config_name(&name) && is_file(directory, &name)? {
            names.push(name);
        }
    }
    names.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    Ok(names)
}

fn is_file(directory: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    let stat = statat(directory, name, AtFlags::empty())?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_files_are_read_as_their_paths_are() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["b.cfg", "a.cfg", ".hidden.cfg", "c.txt"] {
            std::fs::write(dir.path().join(name), name).expect("a file");
        }
        let given = [dir.path().to_owned(), dir.path().join("c.txt")];
        let shown = |files: &Files| -> Vec<(String, Vec<u8>)> {
            let sources = files.read().expect("readable");
            sources.into_iter().map(|source| (source.name, source.text)).collect()
        };
        let mut files = Files::new(&given);
        let by_path = shown(&files);
        assert_eq!(by_path.len(), 3);
        files.keep().expect("kept");
        assert_eq!(shown(&files), by_path);
        // The directory stays the one that was opened, and its files are read as they are now.
        let moved = dir.path().with_extension("moved");
        std::fs::rename(dir.path(), &moved).expect("moved");
        std::fs::write(moved.join("c.txt"), "new").expect("written");
        assert_eq!(shown(&files)[2].1, b"new");
        std::fs::remove_file(moved.join("c.txt")).expect("removed");
        let error = files.read().expect_err("gone");
        assert_eq!((error.path, error.errno.kind()), (given[1].clone(), io::ErrorKind::NotFound));
        std::fs::remove_dir_all(&moved).expect("removed");
    }
}
