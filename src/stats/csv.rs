//! `show stat` as CSV (management guide, section 9.1; RFC 4180 for the quotes).

use std::fmt::Write;

use super::columns::COLUMNS;
use super::rows::{Row, rows};
use super::sources::Sources;
use super::value::Value;

/// Header and every row: see [`csv_of`].
pub fn csv(sources: &Sources) -> String {
    csv_of(rows(sources))
}

/// Header and these rows; every line ends with a comma and a newline. The empty line that ends an answer on
/// the stats socket is not part of it.
pub fn csv_of(rows: impl IntoIterator<Item = Row>) -> String {
    let mut out = String::from("# ");
    for column in COLUMNS {
        out.push_str(column.name);
        out.push(',');
    }
    out.push('\n');
    for row in rows {
        row.values.iter().for_each(|value| field(&mut out, value));
        out.push('\n');
    }
    out
}

fn field(out: &mut String, value: &Value) {
    match value {
        Value::Text(text) if text.contains(['"', ',', '\n', '\r']) => {
            out.push('"');
            out.push_str(&text.replace('"', "\"\""));
            out.push('"');
        }
        plain => {
            // Formatting into a String cannot fail.
            let _ = write!(out, "{plain}");
        }
    }
    out.push(',');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &'static str) -> String {
        let mut out = String::new();
        field(&mut out, &Value::text(text));
        out
    }

    #[test]
    fn quotes_only_where_needed() {
        assert_eq!(rendered("UP 1/3"), "UP 1/3,");
        assert_eq!(rendered("a,b"), "\"a,b\",");
        assert_eq!(rendered("say \"no\""), "\"say \"\"no\"\"\",");
    }
}
