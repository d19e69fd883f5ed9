//! `file@PATH`: appended to, and opened anew when the file was moved away or removed, as after a rotation.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Bytes that wait for a disk that takes none; lines beyond are lost and counted.
const BUFFER_BYTES: usize = 256 * 1024;

/// Bytes after which a batch is written out before its end.
const WRITE_BYTES: usize = 64 * 1024;

/// A log file of our own.
#[derive(Debug)]
pub(super) struct FileTarget {
    path: PathBuf,
    file: File,
    /// False under a chroot, where `path` would name another file: there it stays as opened.
    follow: bool,
    buffer: Vec<u8>,
    /// The last write found no room.
    stuck: bool,
}

impl FileTarget {
    /// Opens for appending; created with mode 0640 less the umask when missing.
    pub(super) fn open(path: PathBuf, follow: bool) -> io::Result<Self> {
        let file = append_to(&path)?;
        Ok(FileTarget::of(path, file.into(), follow))
    }

    /// A file that somebody else has opened for appending.
    pub(super) fn of(path: PathBuf, file: OwnedFd, follow: bool) -> Self {
        FileTarget { path, file: file.into(), follow, buffer: Vec::new(), stuck: false }
    }

    pub(super) fn send(&mut self, line: &[u8]) -> io::Result<()> {
        if self.buffer.len() >= WRITE_BYTES && !self.stuck {
            // A failure leaves the bytes where they are; the flush at the batch's end reports it.
            let _ = self.flush();
        }
        if self.buffer.len() + line.len() > BUFFER_BYTES {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.buffer.extend_from_slice(line);
        Ok(())
    }

    /// Writes the buffer; what the disk did not take stays for the next time.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let followed = self.follow_rename();
        let written = self.write_out();
        self.stuck = written.is_err();
        written.and(followed)
    }

    pub(super) fn buffered(&self) -> u64 {
        memchr::memchr_iter(b'\n', &self.buffer).count() as u64
    }

    fn write_out(&mut self) -> io::Result<()> {
        while !self.buffer.is_empty() {
            match self.file.write(&self.buffer) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => drop(self.buffer.drain(..written)),
                Err(interrupted) if interrupted.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// A new file that cannot be opened leaves the old one in use: better a moved log than none.
    fn follow_rename(&mut self) -> io::Result<()> {
        if self.follow && !self.is_current()? {
            self.file = append_to(&self.path)?;
        }
        Ok(())
    }

    fn is_current(&self) -> io::Result<bool> {
        let ours = self.file.metadata()?;
        match std::fs::metadata(&self.path) {
            Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Without waiting, whatever stands at that path: a named pipe that nobody reads is ENXIO, a full one loses lines.
pub(super) fn append_to(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(flags.cast_signed()).open(path)
}
