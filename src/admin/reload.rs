//! The way from a stats socket to whoever reads the configuration again.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// Asks for a reload; clones share the way.
#[derive(Clone, Debug)]
pub struct Reload(UnboundedSender<oneshot::Sender<String>>);

/// A way, and where requests arrive; each brings where its answer goes.
pub fn channel() -> (Reload, UnboundedReceiver<oneshot::Sender<String>>) {
    let (send, receive) = unbounded_channel();
    (Reload(send), receive)
}

impl Reload {
    /// Waits for what came of it: `Success=0` or `Success=1`, `--`, then messages.
    pub async fn ask(&self) -> String {
        let (reply, replied) = oneshot::channel();
        let gone = || "Success=0\n--\nThe process takes no new configuration any more.\n".to_owned();
        if self.0.send(reply).is_err() {
            return gone();
        }
        replied.await.unwrap_or_else(|_| gone())
    }
}
