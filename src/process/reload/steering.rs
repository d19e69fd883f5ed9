//! An address whose sockets are made anew, with other options: connections go to the new ones at once.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::admin::handover::Held;
use crate::config::model::{BindId, Config, ListenAddress};
use crate::sys::reuseport;

/// After this long the former sockets are closed, and the kernel may spread connections over all that is left.
const SETTLED: Duration = Duration::from_secs(2);

/// Steers every address of `gone` that `held` has newer sockets for. `held` is in the order of listening, which is
/// the kernel's too unless somebody else listens there: then a client is heard a second later at worst.
pub fn steer_away(config: &Config, gone: &[BindId], held: &[Held]) {
    let address = |id: BindId| &config.binds[usize::from(id.0)].address;
    let mut steered: Vec<Arc<OwnedFd>> = Vec::new();
    for &former in gone {
        let ListenAddress::Tcp(_) = address(former) else { continue };
        let group: Vec<&Held> =
            held.iter().filter(|held| held.bind.is_some_and(|id| address(id) == address(former))).collect();
        let stays = |held: &&&Held| held.bind.is_some_and(|id| !gone.contains(&id));
        let (Some(first), count) =
            (group.iter().position(|held| stays(&held)), group.iter().filter(stays).count())
        else {
            continue;
        };
        if let (Ok(first), Ok(count)) = (u32::try_from(first), u32::try_from(count))
            && reuseport::steer(group[first as usize].socket.as_fd(), first, count).is_ok()
        {
            steered.push(Arc::clone(&group[first as usize].socket));
        }
    }
    if !steered.is_empty() {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(SETTLED).await;
            for socket in steered {
                // It fails when somebody else has taken the program away meanwhile.
                let _ = reuseport::release(socket.as_fd());
            }
        });
    }
}
