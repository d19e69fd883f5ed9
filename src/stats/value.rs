//! One statistic, typed, so that every rendering starts from the same facts.

use std::borrow::Cow;
use std::fmt;

/// The value of one column in one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The column does not apply to this row: empty in CSV, absent in typed renderings.
    Empty,
    /// A name or a word.
    Text(Cow<'static, str>),
    /// A count, gauge, limit or duration.
    Number(u64),
    /// A number that may be -1, for never.
    Signed(i64),
    /// Seconds, in millionths: whole ones are shown unless `float` asks for more.
    Micros(u64),
}

/// A value as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    value: &'a Value,
    float: bool,
}

impl Value {
    /// Text made for this row.
    pub fn text(text: impl Into<Cow<'static, str>>) -> Value {
        Value::Text(text.into())
    }

    /// A number, or nothing.
    pub fn optional(number: Option<impl Into<u64>>) -> Value {
        number.map_or(Value::Empty, |number| Value::Number(number.into()))
    }

    /// As it is written, with `float` to the millionth.
    pub fn shown(&self, float: bool) -> Shown<'_> {
        Shown { value: self, float }
    }

    /// The number, 0 when it is none: for sums over rows.
    pub fn number(&self) -> u64 {
        match self {
            Value::Number(number) => *number,
            Value::Signed(number) => u64::try_from(*number).unwrap_or(0),
            Value::Micros(micros) => micros / 1_000_000,
            Value::Empty | Value::Text(_) => 0,
        }
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Number(u64::from(number))
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Number(number)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Value::Empty => Ok(()),
            Value::Text(text) => f.write_str(text),
            Value::Number(number) => write!(f, "{number}"),
            Value::Signed(number) => write!(f, "{number}"),
            Value::Micros(micros) if self.float && micros % 1_000_000 != 0 => {
                let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
                f.write_str(text.trim_end_matches('0'))
            }
            Value::Micros(micros) => write!(f, "{}", micros / 1_000_000),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown(false).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_digits_on_request() {
        let shown = |micros, float| Value::Micros(micros).shown(float).to_string();
        assert_eq!([shown(4_883_000, false), shown(4_883_000, true)], ["4", "4.883"]);
        assert_eq!([shown(10_000_000, true), shown(1, true)], ["10", "0.000001"]);
    }
}
