//! Live counts per frontend, backend and server, outside the snapshot so that a swap never resets them.
