//! The renderings of `show stat` and `show info` (management guide, sections 9.1 to 9.3).

use super::csv::csv_of;
use super::info::{info_text, info_values};
use super::json;
use super::rows::Row;
use super::sources::Sources;
use super::typed;

/// The shape of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// CSV, or `Name: value`.
    #[default]
    Plain,
    /// `typed`: a line for each value.
    Typed,
    /// `json`: one line.
    Json,
}

/// How to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// The shape of the text.
    pub format: Format,
    /// `desc`: behind each value what it is; CSV and JSON have no place for it.
    pub desc: bool,
    /// `float`: digits behind the point where there are any.
    pub float: bool,
}

impl Style {
    /// As the words behind a command ask for; of several formats the last counts.
    pub fn read<'a>(words: impl IntoIterator<Item = &'a str>) -> Style {
        let mut style = Style::default();
        for word in words {
            match word {
                "typed" => style.format = Format::Typed,
                "json" => style.format = Format::Json,
                "desc" => style.desc = true,
                "float" => style.float = true,
                _ => {}
            }
        }
        style
    }

    /// `show stat`.
    pub fn rows(&self, rows: impl IntoIterator<Item = Row>) -> String {
        match self.format {
            Format::Plain => csv_of(rows),
            Format::Typed => typed::rows(rows, self),
            Format::Json => json::rows(rows),
        }
    }

    /// `show info`.
    pub fn info(&self, sources: &Sources) -> String {
        let values = info_values(sources);
        match self.format {
            Format::Plain => info_text(&values, self),
            Format::Typed => typed::info(&values, self),
            Format::Json => json::info(&values, self),
        }
    }
}
