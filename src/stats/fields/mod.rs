//! What the values of `show stat` and `show info` are: the facts behind their typed, JSON and Prometheus
//! renderings (management guide, section 9.2).

mod columns;
mod info;

use super::subject::RowKind;

pub use columns::COLUMN_FIELDS;
pub use info::INFO_FIELDS;

/// The type word of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `str`
    Str,
    /// `s32`
    S32,
    /// `u32`
    U32,
    /// `u64`
    U64,
    /// `u32`, with `float` `flt` and the digits behind the point.
    Float,
    /// A whole number that `float` calls `flt` all the same.
    U32Float,
}

impl Kind {
    /// Its word.
    pub fn word(self, float: bool) -> &'static str {
        match self {
            Kind::Float | Kind::U32Float if float => "flt",
            Kind::Str => "str",
            Kind::S32 => "s32",
            Kind::U32 | Kind::Float | Kind::U32Float => "u32",
            Kind::U64 => "u64",
        }
    }
}

/// One value's description.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As in the header.
    pub name: &'static str,
    /// Letters of origin, nature and scope.
    pub tags: &'static str,
    /// The type word.
    pub kind: Kind,
    /// Its Prometheus metric without the prefix; empty: none.
    pub metric: &'static str,
    /// What `desc` and Prometheus' HELP say.
    pub doc: &'static str,
}

const fn field(
    name: &'static str,
    tags: &'static str,
    kind: Kind,
    metric: &'static str,
    doc: &'static str,
) -> Field {
    Field { name, tags, kind, metric, doc }
}

impl Field {
    /// The letters on a row of this kind: a few columns mean something else on some rows.
    pub fn tags_on(&self, row: RowKind) -> &'static str {
        match (self.name, row) {
            ("act" | "bck", RowKind::Server) => "SGP",
            ("rate_max", RowKind::Backend) => "MGP",
            _ => self.tags,
        }
    }
}

/// A letter's word in JSON.
pub fn tag_word(place: Place, letter: char) -> &'static str {
    match (place, letter) {
        (Place::Origin, 'M') => "Metric",
        (Place::Origin, 'S') => "Status",
        (Place::Origin, 'K') => "Key",
        (Place::Origin, 'C') => "Config",
        (Place::Origin, 'P') => "Product",
        (Place::Nature, 'G') => "Gauge",
        (Place::Nature, 'L') => "Limit",
        (Place::Nature, 'M') => "Max",
        (Place::Nature, 'R') => "Rate",
        (Place::Nature, 'C') => "Counter",
        (Place::Nature, 'D') => "Duration",
        (Place::Nature, 'A') => "Age",
        (Place::Nature, 'N') => "Name",
        (Place::Nature, 'O') => "Output",
        (Place::Nature, 'a') => "Avg",
        (Place::Scope, 'P') => "Process",
        (Place::Scope, 'S') => "Service",
        _ => "Unknown",
    }
}

/// Which of the three letters.
pub enum Place {
    /// Where the value comes from.
    Origin,
    /// How it changes.
    Nature,
    /// What it is about.
    Scope,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::COLUMNS;

    #[test]
    fn every_column_has_its_field_at_its_place() {
        let columns: Vec<&str> =
            COLUMNS.iter().map(|column| column.name).filter(|&name| name != "-").collect();
        let fields: Vec<&str> = COLUMN_FIELDS.iter().map(|field| field.name).collect();
        assert_eq!(fields, columns);
    }

    #[test]
    fn every_letter_has_a_word() {
        for field in COLUMN_FIELDS.iter().chain(INFO_FIELDS) {
            let words: Vec<&str> = [Place::Origin, Place::Nature, Place::Scope]
                .into_iter()
                .zip(field.tags.chars())
                .map(|(place, letter)| tag_word(place, letter))
                .collect();
            // haproxy leaves the nature of some settings at its default, a gauge.
            assert!(words.len() == 3 && !words.contains(&"Unknown"), "{field:?}");
        }
    }
}
