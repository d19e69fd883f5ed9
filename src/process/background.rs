//! `daemon`: the process goes to the background, and the one that was started tells how that went.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::path::Path;

use super::error::StartError;
use super::{report, stderr};
use crate::sys::daemon::{self, Forked};
use crate::sys::signal::unblock_all;

/// The pid file, opened while it still can be.
#[derive(Debug)]
pub struct PidFile(File);

impl PidFile {
    /// Creates or empties the file.
    pub fn open(path: &Path) -> Result<PidFile, StartError> {
        let opened = File::create(path);
        opened.map(PidFile).map_err(|error| {
            StartError::new(format!("[haproxy.main()] Cannot create pidfile {}", path.display()))
                .with_errno(error)
                .with_cause("its directory is missing or not writable")
                .with_remedy("create the directory or change pidfile (-p)")
        })
    }

    /// Writes this process's number, one line.
    pub fn write(mut self) -> Result<(), StartError> {
        let line = format!("{}\n", std::process::id());
        self.0.write_all(line.as_bytes()).map_err(|error| {
            StartError::new("[haproxy.main()] Cannot write the pidfile")
                .with_errno(error)
                .with_cause("the file system refused")
                .with_remedy("check its free space with 'df'")
        })
    }
}

/// Which process this is after [`detach`].
#[derive(Debug)]
pub enum Detached {
    /// The one that was started: to exit with this status.
    Parent(u8),
    /// The one that stays.
    Child(Promise),
}

/// The child's word to its parent; dropped without it, the parent reports failure.
#[derive(Debug)]
pub struct Promise {
    parent: PipeWriter,
    null: File,
}

/// Forks. The parent waits until the child is ready or gone; the child leads a session of its own.
pub fn detach() -> Result<Detached, StartError> {
    let failed = |error: io::Error| {
        StartError::new("[haproxy.main()] Cannot fork")
            .with_errno(error)
            .with_cause("the system or this user has too many processes")
            .with_remedy("check 'ulimit -u', or run in the foreground with -db")
    };
    let null = daemon::dev_null().map_err(failed)?;
    let (ready, parent) = io::pipe().map_err(failed)?;
    match daemon::fork().map_err(failed)? {
        Forked::Parent(pid) => {
            drop(parent);
            // The child handles signals; one to the parent ends its waiting.
            unblock_all();
            Ok(Detached::Parent(await_child(ready, pid)))
        }
        Forked::Child => {
            daemon::new_session().map_err(failed)?;
            Ok(Detached::Child(Promise { parent, null }))
        }
    }
}

/// 0 when the child said that it is ready, else what it ended with.
fn await_child(mut ready: PipeReader, pid: i32) -> u8 {
    let mut word = [0];
    if matches!(ready.read(&mut word), Ok(1)) {
        return 0;
    }
    let status = daemon::wait_for(pid).unwrap_or(1);
    u8::try_from(status).ok().filter(|&status| status != 0).unwrap_or(1)
}

impl Promise {
    /// Everything runs: standard streams become /dev/null and the parent leaves with 0. Nothing of this is worth
    /// the end of a process that serves: the one before it has gone already.
    pub fn keep(mut self) {
        report::silence();
        stderr::finish();
        if let Err(error) = daemon::silence(&self.null) {
            tracing::warn!(%error, "the standard streams stay those of the start");
        }
        // A parent that was killed meanwhile needs no answer.
        let _ = self.parent.write_all(b"1");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_holds_one_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("p.pid");
        std::fs::write(&path, "12345678901234567890\n").expect("an old file");
        PidFile::open(&path).expect("opened").write().expect("written");
        let text = std::fs::read_to_string(&path).expect("readable");
        assert_eq!(text, format!("{}\n", std::process::id()));
    }

    #[test]
    fn a_pid_file_that_cannot_be_made_is_explained() {
        let error = PidFile::open(Path::new("/nonexistent/p")).expect_err("refused");
        assert!(
            error.to_string().contains("Cannot create pidfile /nonexistent/p (No such file or directory)")
        );
    }
}
