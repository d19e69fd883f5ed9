//! The stats socket and the stats page, on the control thread.
