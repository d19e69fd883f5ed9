//! Session and process logs: workers hand over facts, one thread formats and sends them.
//!
//! ```text
//! worker: SessionSink::push -> ring of records ─┐
//! anyone: LogHandle::notice -> bounded channel ─┴> log thread -> line -> frame -> targets
//! ```
//! No producer ever waits: a full ring, a full channel and a target that does not take a line each
//! cost a counted line, never time.

mod clock;
mod doorbell;
#[cfg(test)]
mod fixture;
mod frame;
mod handle;
mod level;
mod line;
pub mod record;
mod router;
mod sink;
mod target;
#[cfg(all(test, not(px_loom)))]
mod tests;
mod text;
mod thread;

pub use clock::date_us;
pub use handle::LogHandle;
pub use level::Level;
pub use sink::{RING_RECORDS, SessionSink};
pub use target::{Additions, Opener, Targets, additions, open, open_path};
pub use thread::start;
