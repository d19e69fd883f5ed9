//! One core: the event loop, its listeners and its sessions.
