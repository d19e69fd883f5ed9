//! Deadlines of sessions. Pure: the time is an argument.
