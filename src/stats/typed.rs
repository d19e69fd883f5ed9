//! One typed value a line: where it stands, its letters, its type, itself (management guide, section 9.2).

use std::fmt::Write;

use super::fields::{COLUMN_FIELDS, Field, INFO_FIELDS};
use super::info::InfoValue;
use super::rows::Row;
use super::style::Style;
use super::subject::RowKind;
use super::value::Value;

/// Nothing here outlives the process, which the fourth letter says.
const VOLATILE: char = 'V';

/// Lines `F.2.0.0.pxname.1:KNSV:str:fe`.
pub(super) fn rows(rows: impl IntoIterator<Item = Row>, style: &Style) -> String {
    let mut out = String::new();
    for row in rows {
        let object = format!("{}.{}.{}.", letter(row.kind), row.value("iid"), row.value("sid"));
        for (at, (field, value)) in COLUMN_FIELDS.iter().zip(&row.values).enumerate() {
            line(&mut out, &object, at, field, field.tags_on(row.kind), value, style);
        }
    }
    out
}

/// Lines `0.Name.1:POSV:str:Pronk`.
pub(super) fn info(values: &[InfoValue], style: &Style) -> String {
    let mut out = String::new();
    for (at, field) in INFO_FIELDS.iter().enumerate() {
        let known = values.iter().find(|(name, _)| *name == field.name);
        if let Some((_, value)) = known {
            line(&mut out, "", at, field, field.tags, value, style);
        }
    }
    out
}

fn line(out: &mut String, object: &str, at: usize, field: &Field, tags: &str, value: &Value, style: &Style) {
    if *value == Value::Empty {
        return;
    }
    let (name, kind) = (field.name, field.kind.word(style.float));
    // Formatting into a String cannot fail.
    let _ = write!(out, "{object}{at}.{name}.1:{tags}{VOLATILE}:{kind}:{}", value.shown(style.float));
    if style.desc {
        let _ = write!(out, ":\"{}\"", field.doc);
    }
    out.push('\n');
}

fn letter(kind: RowKind) -> char {
    match kind {
        RowKind::Frontend => 'F',
        RowKind::Backend => 'B',
        RowKind::Server => 'S',
        RowKind::Listener => 'L',
    }
}
