//! The health-check thread: the only writer of the backend table.
