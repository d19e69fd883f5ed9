//! Just enough JSON to write the pages of an impalad's debug web server.

use std::fmt;

/// One JSON value; an object keeps its order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Bool(bool),
    Number(i64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(super) fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
        Json::Object(members.map(|(name, value)| (name.to_owned(), value)).to_vec())
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Json {
        Json::Bool(value)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Json {
        Json::Text(text)
    }
}

macro_rules! json_from_count {
    ($($from:ty),*) => {
        $(impl From<$from> for Json {
            fn from(number: $from) -> Json {
                // JSON readers take 2^53 at most; counts here are far below.
                Json::Number(i64::try_from(number).unwrap_or(i64::MAX))
            }
        })*
    };
}

json_from_count!(u64, usize, i64, u128);

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Bool(value) => write!(f, "{value}"),
            Json::Number(number) => write!(f, "{number}"),
            Json::Text(text) => quote(text, f),
            Json::List(items) => joined(f, ["[", "]"], items, |item, f| item.fmt(f)),
            Json::Object(members) => joined(f, ["{", "}"], members, |(name, value), f| {
                quote(name, f)?;
                write!(f, ": {value}")
            }),
        }
    }
}

fn joined<T>(
    f: &mut fmt::Formatter<'_>,
    [open, close]: [&str; 2],
    items: &[T],
    one: impl Fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    f.write_str(open)?;
    for (at, item) in items.iter().enumerate() {
        f.write_str(if at == 0 { "" } else { ", " })?;
        one(item, f)?;
    }
    f.write_str(close)
}

fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            // `<` too, so that the text may stand in a page of HTML.
            '\0'..='\x1f' | '<' => write!(f, "\\u{:04x}", u32::from(character))?,
            _ => write!(f, "{character}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_order_is_kept() {
        let page = Json::object([
            ("z", Json::from("a\"b\\c\n\u{1}<x>é")),
            ("a", Json::List(vec![Json::from(1i64), Json::from(true)])),
        ]);
        let expected = r#"{"z": "a\"b\\c\n\u0001\u003cx>é", "a": [1, true]}"#;
        assert_eq!(page.to_string(), expected);
    }
}
