//! Identifiers of sessions and queries.

use std::fmt;

/// 16 bytes that name a session or a query, printed as Impala does: two 64-bit halves in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Guid(pub [u8; 16]);

impl Guid {
    pub(super) fn random() -> Guid {
        let mut bytes = [0; 16];
        fastrand::fill(&mut bytes);
        Guid(bytes)
    }

    /// The bytes of a Thrift handle; None when there are not 16 of them.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Guid> {
        bytes.try_into().ok().map(Guid)
    }

    /// The text that [`fmt::Display`] makes.
    pub(super) fn parse(text: &str) -> Option<Guid> {
        let (high, low) = text.split_once(':')?;
        let half = |digits: &str| {
            let exact = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u64::from_str_radix(digits, 16).ok().filter(|_| exact)
        };
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&half(high)?.to_le_bytes());
        bytes[8..].copy_from_slice(&half(low)?.to_le_bytes());
        Some(Guid(bytes))
    }

    fn half(&self, at: usize) -> u64 {
        self.0[at..at + 8].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}:{:016x}", self.half(0), self.half(8))
    }
}

/// What a HiveServer2 client must show again: the name and a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    pub(super) guid: Guid,
    pub(super) secret: Guid,
}

impl Handle {
    pub(super) fn random() -> Handle {
        Handle { guid: Guid::random(), secret: Guid::random() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_the_same_name() {
        let guid = Guid([1, 0, 0, 0, 0, 0, 0, 0xab, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(guid.to_string(), "ab00000000000001:0000000000000002");
        assert_eq!(Guid::parse(&guid.to_string()), Some(guid));
        assert_eq!(Guid::parse("ab:cd"), None);
        assert_eq!(Guid::parse("+000000000000001:0000000000000002"), None);
        assert_eq!(Guid::of_bytes(&[1, 2]), None);
    }
}
