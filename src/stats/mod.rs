//! Counters and their renderings.
//!
//! ```text
//! worker: counters ─┐
//! load, table      ─┼> Sources ─> rows (typed) ─> csv; later typed, JSON, Prometheus, HTML
//! once a second:    │                 info, activity
//!   Rates::sample  ─┘
//! ```
//! A column is one entry of [`columns`](COLUMNS): its name, the rows that have it, how it is read. The
//! names and their order are HAProxy's (management guide, section 9.1).

mod activity;
mod columns;
pub mod counters;
mod csv;
#[cfg(test)]
mod fixture;
mod info;
mod rates;
mod rows;
mod sources;
mod standing;
mod status;
mod subject;
#[cfg(test)]
mod tests;
mod value;

pub use activity::activity;
pub use columns::{COLUMNS, Column};
pub use csv::{csv, csv_of};
pub use info::{RELEASE_DATE, info, info_values};
pub use rates::Rates;
pub use rows::{Row, rows};
pub use sources::{Limits, Sources};
pub use standing::{Standing, Standings, stop_line, totals};
pub use status::check_description;
pub use subject::RowKind;
pub use value::Value;
