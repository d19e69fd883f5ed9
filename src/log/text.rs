//! Text put together without `format!`, whose dispatch for some twenty pieces costs a quarter of a line.

use std::fmt::Write;
use std::net::SocketAddr;

/// What lines are made of.
pub(super) trait Piece {
    /// Appends it as a line shows it.
    fn append_to(self, out: &mut String);
}

/// Appends one piece after another.
macro_rules! append {
    ($out:expr, $($piece:expr),+ $(,)?) => {{
        let out: &mut String = $out;
        $($crate::log::text::Piece::append_to($piece, out);)+
    }};
}
pub(super) use append;

impl Piece for &str {
    fn append_to(self, out: &mut String) {
        out.push_str(self);
    }
}

impl Piece for char {
    fn append_to(self, out: &mut String) {
        out.push(self);
    }
}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl Piece for $number {
            fn append_to(self, out: &mut String) {
                out.push_str(itoa::Buffer::new().format(self));
            }
        }
    )+};
}
numbers!(u8, u16, u32, i32, u64);

/// `A:P`, an IPv6 address without brackets.
impl Piece for SocketAddr {
    fn append_to(self, out: &mut String) {
        match self {
            SocketAddr::V4(at) => {
                let [a, b, c, d] = at.ip().octets();
                append!(out, a, '.', b, '.', c, '.', d);
            }
            SocketAddr::V6(at) => {
                // Formatting into a String cannot fail.
                let _ = write!(out, "{}", at.ip());
            }
        }
        append!(out, ':', self.port());
    }
}

/// A number in so many figures, with zeros in front; of a larger one the last.
pub(super) struct Padded<const FIGURES: usize>(pub(super) u32);

impl<const FIGURES: usize> Piece for Padded<FIGURES> {
    fn append_to(self, out: &mut String) {
        let mut place = const {
            assert!(FIGURES < 10);
            10_u32.pow(FIGURES as u32)
        };
        for _ in 0..FIGURES {
            let rest = self.0 % place;
            place /= 10;
            out.push(char::from(b'0' + u8::try_from(rest / place).unwrap_or(0)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(piece: impl Piece) -> String {
        let mut out = String::new();
        piece.append_to(&mut out);
        out
    }

    #[test]
    fn every_piece_is_what_format_would_make_of_it() {
        for number in [0, 7, 10, 99, 123, 59_999, 999_999] {
            assert_eq!(shown(Padded::<6>(number)), format!("{number:06}"));
            assert_eq!(shown(number), number.to_string());
        }
        assert_eq!(shown(Padded::<2>(7)), "07");
        assert_eq!(shown(-1), "-1");
        assert_eq!(shown(i32::MIN), i32::MIN.to_string());
        assert_eq!(shown(u64::MAX), u64::MAX.to_string());
        for address in ["127.0.0.1:1", "255.10.0.99:65535", "[::1]:46060", "[2001:db8::7]:80"] {
            let address: SocketAddr = address.parse().expect("an address");
            assert_eq!(shown(address), format!("{}:{}", address.ip(), address.port()));
        }
    }
}
