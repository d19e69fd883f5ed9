//! An operator who never rests: every ten milliseconds a weight changes, and with it the table of servers, and
//! somebody reads all statistics.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::failure::{Attempt, Failure};

/// The stats socket's name in the proxy's folder.
pub const SOCKET: &str = "stats";
const PAUSE: Duration = Duration::from_millis(10);
const LIMIT: Duration = Duration::from_secs(5);

/// What the configuration needs for it.
pub fn config(folder: &Path) -> String {
    format!("\nglobal\n    stats socket {} level admin\n", folder.join(SOCKET).display())
}

/// Ready to go on until dropped; at rest in the beginning.
pub struct Stirring {
    ended: Arc<AtomicBool>,
    active: Arc<AtomicBool>,
    /// Why it goes on no more.
    failure: Arc<OnceLock<Failure>>,
    thread: Option<JoinHandle<()>>,
}

impl Stirring {
    /// Begins when a first change has succeeded.
    pub fn start(socket: &Path) -> Result<Stirring, Failure> {
        let limit = Instant::now() + LIMIT;
        while let Err(failure) = stir(socket, 0) {
            if Instant::now() > limit {
                return Err(failure);
            }
            std::thread::sleep(PAUSE);
        }
        let (ended, active): (Arc<AtomicBool>, Arc<AtomicBool>) = Default::default();
        let failure = Arc::new(OnceLock::new());
        let (seen, busy, socket) = (Arc::clone(&ended), Arc::clone(&active), PathBuf::from(socket));
        let failed = Arc::clone(&failure);
        let work = move || {
            let mut count = 0;
            while !seen.load(Ordering::Relaxed) {
                std::thread::sleep(PAUSE);
                if !busy.load(Ordering::Relaxed) {
                    continue;
                }
                count += 1;
                if let Err(failure) = stir(&socket, count) {
                    // The only one: this thread ends with it.
                    let _ = failed.set(failure);
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("stir".to_owned()).spawn(work);
        Ok(Stirring { ended, active, failure, thread: Some(thread.attempting("starting a thread")?) })
    }
}

impl Stirring {
    /// Works from now on, or rests.
    pub fn stir(&self, active: bool) {
        self.active.store(active, Ordering::Relaxed);
    }

    /// Fails when it could not go on: what was measured since is not what it is called.
    pub fn check(&self) -> Result<(), Failure> {
        self.failure.get().map_or(Ok(()), |failure| Err(failure.clone())).attempting("stirring")
    }
}

impl Drop for Stirring {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // A panic of the thread has been printed.
        self.thread.take().map(JoinHandle::join);
    }
}

fn stir(socket: &Path, count: usize) -> Result<(), Failure> {
    let weight = 1 + count % 2;
    let answer = ask(socket, &format!("set weight echo/echo1 {weight}; show stat\n"))
        .attempting(format!("asking {}", socket.display()))?;
    if answer.trim_start().starts_with("# pxname") {
        return Ok(());
    }
    Err(Failure::new(format!("the stats socket said: {}", answer.lines().next().unwrap_or("nothing"))))
}

fn ask(socket: &Path, command: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(command.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
