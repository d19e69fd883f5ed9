//! Comparing versions as HAProxy does: `3.5` = `3.5.0`, and `3.5-dev4` comes before both.

/// A version in comparable form: branch, then development number (releases come after all of those), then patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    branch: (u32, u32),
    stage: (u8, u32),
}

/// How the kinds of version of one branch are ordered.
const STAGES: &[(&str, u8)] = &[("-dev", 0), ("-rc", 1), ("-pre", 1), (".", 2)];

impl Version {
    /// `A.B`, `A.B.C`, `A.B-devN`, `A.B-rcN`; anything after these is ignored. None for anything else.
    pub(super) fn parse(text: &str) -> Option<Version> {
        let (major, rest) = number(text)?;
        let (minor, rest) = match rest.strip_prefix('.') {
            Some(rest) => number(rest)?,
            None if rest.is_empty() => (0, rest),
            None => return None,
        };
        let stage = STAGES.iter().find_map(|(mark, rank)| {
            let (value, _) = number(rest.strip_prefix(mark)?)?;
            Some((*rank, value))
        });
        Some(Version { branch: (major, minor), stage: stage.unwrap_or((2, 0)) })
    }
}

fn number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn development_comes_before_release_comes_before_patch() {
        let order =
            ["2.6", "2.6.12-1+deb12u4", "3.5-dev1", "3.5-dev10", "3.5-rc1", "3.5", "3.5.1", "3.10", "4"];
        let versions: Vec<_> = order.iter().map(|text| Version::parse(text)).collect();
        assert!(versions.iter().all(Option::is_some));
        assert!(versions.is_sorted());
        assert_eq!(Version::parse("3.5"), Version::parse("3.5.0"));
        assert_eq!(Version::parse("x"), None);
    }
}
