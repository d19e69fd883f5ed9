//! Session and process logs: workers hand over facts, one thread formats and sends them.

pub mod record;
