//! Counters and their renderings.
//!
//! ```text
//! worker: counters ─┐
//! load, table      ─┼> Sources ─> rows (typed) ─> CSV, typed lines, JSON; HTML
//! once a second:    │                 info, activity
//!   Rates::sample  ─┘
//! ```
//! A column is one entry of [`columns`](COLUMNS): its name, the rows that have it, how it is read. The
//! names and their order are HAProxy's (management guide, section 9.1).

mod activity;
mod columns;
pub mod counters;
mod csv;
mod fields;
pub mod file;
#[cfg(test)]
mod fixture;
mod history;
mod info;
mod json;
pub mod prometheus;
mod rates;
mod rows;
mod sources;
mod standing;
mod status;
mod style;
mod subject;
#[cfg(test)]
mod tests;
mod typed;
mod value;

pub use activity::activity;
pub use columns::{COLUMNS, Column};
pub use csv::{csv, csv_of};
pub use fields::{COLUMN_FIELDS, Field, INFO_FIELDS, Kind};
pub use history::{History, POINTS, Point, STEP_SECONDS};
pub use info::{InfoValue, RELEASE_DATE, info_values};
pub use json::schema;
pub use rates::Rates;
pub use rows::{Row, rows};
pub use sources::{Limits, Sources};
pub use standing::{Standing, Standings, stop_line, totals};
pub use status::check_description;
pub use style::{Format, Style};
pub use subject::RowKind;
pub use value::Value;
