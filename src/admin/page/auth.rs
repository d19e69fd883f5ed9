//! Basic authentication (RFC 7617) for `stats auth`.

/// Whether an `Authorization` header names one of the accounts; without accounts everybody may enter.
pub fn admits(accounts: &[(String, String)], header: Option<&[u8]>) -> bool {
    if accounts.is_empty() {
        return true;
    }
    let Some(given) = header.and_then(credentials) else { return false };
    // Every account is compared in full, so that the time says nothing about which one came near.
    accounts.iter().fold(false, |admitted, (user, password)| {
        let account = [user.as_bytes(), b":", password.as_bytes()].concat();
        admitted | same(&account, &given)
    })
}

/// `user:password` of a Basic header.
fn credentials(header: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = header.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    decode(rest.trim_ascii())
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (x, y)| differ | (x ^ y)) == 0
}

/// Base64 (RFC 4648, section 4), with or without padding; None for any other character.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for &character in group {
            bits = bits << 6 | u32::from(value(character)?);
        }
        bits <<= 6 * (4 - group.len());
        let [_, decoded @ ..] = bits.to_be_bytes();
        bytes.extend_from_slice(&decoded[..group.len().checked_sub(1).filter(|&n| n > 0)?]);
    }
    Some(bytes)
}

fn value(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_the_rfcs_examples() {
        let examples: [(&[u8], &[u8]); 7] = [
            (b"", b""),
            (b"Zg==", b"f"),
            (b"Zm8=", b"fo"),
            (b"Zm9v", b"foo"),
            (b"Zm9vYg==", b"foob"),
            (b"Zm9vYmE", b"fooba"),
            (b"Zm9vYmFy", b"foobar"),
        ];
        for (text, bytes) in examples {
            assert_eq!(decode(text).as_deref(), Some(bytes));
        }
        assert_eq!(decode(b"Z"), None);
        assert_eq!(decode(b"Zm9-"), None);
    }

    #[test]
    fn admits_only_the_accounts() {
        let accounts = [("a".to_owned(), "b".to_owned()), ("Aladdin".to_owned(), "open sesame".to_owned())];
        assert!(admits(&[], None));
        assert!(admits(&accounts, Some(b"Basic YTpi")));
        assert!(admits(&accounts, Some(b"basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ==")));
        for wrong in [&b"Basic YTpj"[..], b"Basic", b"Bearer YTpi", b"Basic !!!!", b""] {
            assert!(!admits(&accounts, Some(wrong)));
        }
        assert!(!admits(&accounts, None));
    }
}
