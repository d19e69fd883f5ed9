//! JSON as `show schema json` describes it.

use std::fmt::Write;

use super::fields::{COLUMN_FIELDS, Field, INFO_FIELDS, Place, tag_word};
use super::info::InfoValue;
use super::rows::Row;
use super::style::Style;
use super::subject::RowKind;
use super::value::Value;

/// `show schema json`: one line.
pub fn schema() -> String {
    let mut text: String = include_str!("schema.json").split_whitespace().collect();
    text.push('\n');
    text
}

/// One array for each row, in an array, on one line.
pub(super) fn rows(rows: impl IntoIterator<Item = Row>) -> String {
    let rows: Vec<String> = rows.into_iter().map(|row| of_row(&row)).collect();
    format!("[{}]\n", rows.join(","))
}

fn of_row(row: &Row) -> String {
    let (kind, proxy, id) = (object(row.kind), row.value("iid"), row.value("sid"));
    let object = format!("\"objType\":\"{kind}\",\"proxyId\":{proxy},\"id\":{id},");
    let fields = COLUMN_FIELDS.iter().zip(&row.values).enumerate();
    let items: Vec<String> = fields
        .filter(|(_, (_, value))| **value != Value::Empty)
        .map(|(at, (field, value))| item(&object, at, field, field.tags_on(row.kind), value, false))
        .collect();
    format!("[{}]", items.join(","))
}

/// One array on one line.
pub(super) fn info(values: &[InfoValue], style: &Style) -> String {
    let known = |field: &Field| values.iter().find(|(name, _)| *name == field.name);
    let items: Vec<String> = INFO_FIELDS
        .iter()
        .enumerate()
        .filter_map(|(at, field)| Some(item("", at, field, field.tags, &known(field)?.1, style.float)))
        .collect();
    format!("[{}]\n", items.join(","))
}

fn item(object: &str, at: usize, field: &Field, tags: &str, value: &Value, float: bool) -> String {
    let kind = field.kind.word(float);
    let shown = match value {
        Value::Text(text) => quoted(text),
        number => number.shown(float).to_string(),
    };
    format!(
        "{{{object}\"field\":{{\"pos\":{at},\"name\":\"{}\"}},\"processNum\":1,{},\
         \"value\":{{\"type\":\"{kind}\",\"value\":{shown}}}}}",
        field.name,
        words(tags),
    )
}

fn words(tags: &str) -> String {
    let mut letters = tags.chars();
    let mut word = |place| tag_word(place, letters.next().unwrap_or_default());
    format!(
        "\"tags\":{{\"origin\":\"{}\",\"nature\":\"{}\",\"scope\":\"{}\"}}",
        word(Place::Origin),
        word(Place::Nature),
        word(Place::Scope)
    )
}

/// A string of JSON (RFC 8259, section 7).
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => {
                // Formatting into a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn object(kind: RowKind) -> &'static str {
    match kind {
        RowKind::Frontend => "Frontend",
        RowKind::Backend => "Backend",
        RowKind::Server => "Server",
        RowKind::Listener => "Listener",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(quoted("a\"b\\c\n\u{e9}"), "\"a\\\"b\\\\c\\u000a\u{e9}\"");
    }

    #[test]
    fn the_schema_is_one_line() {
        let text = schema();
        assert_eq!(text.lines().count(), 1);
        assert!(text.starts_with("{\"$schema\":\"http://json-schema.org/") && text.ends_with("}\n"));
    }
}
