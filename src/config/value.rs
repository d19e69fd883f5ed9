//! Times, sizes, integers (configuration manual, section 2.5), and names.

/// What a name of a section, server or ACL may hold.
pub const NAME_HELP: &str = "names are made of letters, digits, '-', '_', '.' and ':'";

/// The first character that a name may not hold.
pub fn odd_in_name(name: &str) -> Option<char> {
    name.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.:".contains(*c)))
}

/// What the name of a node may hold.
pub const NODE_HELP: &str = "write letters, digits, '-', '_' and '.'";

/// Whether it may be the name of a node: that of a host.
pub fn is_node_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The unit of a time without a suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// `us`
    Microseconds,
    /// `ms`, the default of most keywords.
    Milliseconds,
    /// `s`
    Seconds,
    /// `m`
    Minutes,
    /// `h`
    Hours,
    /// `d`
    Days,
}

impl TimeUnit {
    fn microseconds(self) -> u64 {
        match self {
            TimeUnit::Microseconds => 1,
            TimeUnit::Milliseconds => 1_000,
            TimeUnit::Seconds => 1_000_000,
            TimeUnit::Minutes => 60_000_000,
            TimeUnit::Hours => 3_600_000_000,
            TimeUnit::Days => 86_400_000_000,
        }
    }

    fn of_suffix(suffix: &str) -> Option<TimeUnit> {
        Some(match suffix {
            "us" => TimeUnit::Microseconds,
            "ms" => TimeUnit::Milliseconds,
            "s" => TimeUnit::Seconds,
            "m" => TimeUnit::Minutes,
            "h" => TimeUnit::Hours,
            "d" => TimeUnit::Days,
            _ => return None,
        })
    }
}

/// Why a value is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueError {
    /// Nothing is there.
    Empty,
    /// This character does not belong there.
    Character(char),
    /// Above the greatest value.
    Overflow,
    /// Below the least value or above the greatest of this keyword.
    Range(i64, i64),
}

/// The longest time: 2147483647 ms, about 24.8 days.
pub const TIME_MAX_MS: u32 = i32::MAX as u32;

/// A time in milliseconds, rounded up to a whole one; `default` is the unit without a suffix.
pub fn time(text: &str, default: TimeUnit) -> Result<u32, ValueError> {
    let (number, suffix) = split_number(text)?;
    let unit = match suffix {
        "" => default,
        _ => TimeUnit::of_suffix(suffix).ok_or_else(|| unexpected(suffix))?,
    };
    let microseconds = number.checked_mul(unit.microseconds()).ok_or(ValueError::Overflow)?;
    let ms = microseconds.div_ceil(1_000);
    u32::try_from(ms).ok().filter(|ms| *ms <= TIME_MAX_MS).ok_or(ValueError::Overflow)
}

/// A size in bytes with `k`, `m` or `g`, in either case.
pub fn size(text: &str) -> Result<u64, ValueError> {
    let (number, suffix) = split_number(text)?;
    let factor: u64 = match suffix {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return Err(unexpected(suffix)),
    };
    number.checked_mul(factor).ok_or(ValueError::Overflow)
}

/// A whole number from `low` to `high`, with an optional sign and nothing after it.
pub fn integer(text: &str, low: i64, high: i64) -> Result<i64, ValueError> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let number = match split_number(digits)? {
        (number, "") => i64::try_from(number).map_err(|_| ValueError::Overflow)? * sign,
        (_, rest) => return Err(unexpected(rest)),
    };
    if (low..=high).contains(&number) { Ok(number) } else { Err(ValueError::Range(low, high)) }
}

/// The digits at the start, and what follows them.
fn split_number(text: &str) -> Result<(u64, &str), ValueError> {
    let (digits, rest) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    match (digits, rest) {
        ("", "") => Err(ValueError::Empty),
        ("", rest) => Err(unexpected(rest)),
        _ => digits.parse().map(|number| (number, rest)).map_err(|_| ValueError::Overflow),
    }
}

/// The first character of a suffix that does not fit, or the one after a unit.
fn unexpected(suffix: &str) -> ValueError {
    let units = ["us", "ms", "s", "m", "h", "d"];
    let after = units.iter().find_map(|unit| suffix.strip_prefix(unit)).filter(|after| !after.is_empty());
    after.unwrap_or(suffix).chars().next().map_or(ValueError::Empty, ValueError::Character)
}

impl ValueError {
    /// HAProxy's text for a time: `keyword` is what it names, such as `timeout client`.
    pub fn time_text(self, argument: &str, keyword: &str) -> String {
        match self {
            ValueError::Empty => format!("'{keyword}' expects an integer value (in milliseconds)"),
            ValueError::Character(c) => format!("unexpected character '{c}' in '{keyword}'"),
            ValueError::Overflow | ValueError::Range(..) => format!(
                "timer overflow in argument '{argument}' to '{keyword}' (maximum value is 2147483647 ms or ~24.8 days)"
            ),
        }
    }

    /// A text for a number or size given to `keyword`.
    pub fn number_text(self, argument: &str, keyword: &str) -> String {
        match self {
            ValueError::Empty => format!("'{keyword}' expects an integer argument."),
            ValueError::Character(c) => {
                format!("'{keyword}' : unexpected character '{c}' in '{argument}'.")
            }
            ValueError::Overflow => format!("'{keyword}' : value '{argument}' is out of range."),
            ValueError::Range(low, high) => {
                format!("'{keyword}' : value must be between {low} and {high} (was {argument}).")
            }
        }
    }

    /// What to write instead of a time.
    pub fn time_help(self) -> &'static str {
        match self {
            ValueError::Overflow | ValueError::Range(..) => {
                "the longest time is 24d; leave the line out for no limit"
            }
            _ => "write a whole number and a unit: us, ms, s, m, h or d, as in 50s or 3600s",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_take_every_unit() {
        let cases = [
            ("0", 0),
            ("5", 5),
            ("5ms", 5),
            ("1us", 1),
            ("1500us", 2),
            ("50s", 50_000),
            ("50000s", 50_000_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("24d", 2_073_600_000),
            ("2147483647", TIME_MAX_MS),
        ];
        for (text, ms) in cases {
            assert_eq!(time(text, TimeUnit::Milliseconds), Ok(ms), "{text}");
        }
        assert_eq!(time("5", TimeUnit::Seconds), Ok(5_000));
        assert_eq!(time("5ms", TimeUnit::Seconds), Ok(5));
    }

    #[test]
    fn times_that_are_none() {
        let cases = [
            ("", ValueError::Empty),
            ("x", ValueError::Character('x')),
            ("-1", ValueError::Character('-')),
            ("5x", ValueError::Character('x')),
            ("1.5s", ValueError::Character('.')),
            ("1S", ValueError::Character('S')),
            ("5ss", ValueError::Character('s')),
            ("25d", ValueError::Overflow),
            ("2147483648", ValueError::Overflow),
            ("99999999999999999999", ValueError::Overflow),
            ("18446744073709551615d", ValueError::Overflow),
        ];
        for (text, error) in cases {
            assert_eq!(time(text, TimeUnit::Milliseconds), Err(error), "{text}");
        }
    }

    #[test]
    fn sizes_and_integers() {
        assert_eq!(size("16384"), Ok(16_384));
        assert_eq!(size("16k"), Ok(16_384));
        assert_eq!(size("2M"), Ok(2 << 20));
        assert_eq!(size("4z"), Err(ValueError::Character('z')));
        assert_eq!(size("99999999999g"), Err(ValueError::Overflow));
        assert_eq!(integer("-5", -10, 10), Ok(-5));
        assert_eq!(integer("5x", 0, 10), Err(ValueError::Character('x')));
        assert_eq!(integer("11", 0, 10), Err(ValueError::Range(0, 10)));
        assert_eq!(integer("abc", 0, 10), Err(ValueError::Character('a')));
    }
}
