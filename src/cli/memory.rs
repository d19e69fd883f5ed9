//! `-dM`: what HAProxy's memory pools do to find mistakes. There are no such pools here, so it has no effect; but a
//! word that HAProxy refuses is refused.

use super::{Action, Mistake};

/// What sets and what clears each feature; the last two are newer than 2.6.
const FEATURES: [(&str, &str); 11] = [
    ("fail", "no-fail"),
    ("no-merge", "merge"),
    ("cold-first", "hot-first"),
    ("integrity", "no-integrity"),
    ("no-global", "global"),
    ("no-cache", "cache"),
    ("caller", "no-caller"),
    ("tag", "no-tag"),
    ("poison", "no-poison"),
    ("uaf", "no-uaf"),
    ("backup", "no-backup"),
];

/// Reads what is joined to the option: a byte, perhaps, then words. `help` answers at once, as a wrong word does.
pub(super) fn read(suffix: &str) -> Result<Option<Action>, Mistake> {
    let mut words = suffix.split(',').peekable();
    words.next_if(|word| is_number(word));
    for word in words.filter(|word| !word.is_empty()) {
        if word == "help" {
            return Ok(Some(Action::Answer(help())));
        }
        if !FEATURES.iter().any(|(set, clear)| [*set, *clear].contains(&word)) {
            return Err(Mistake::Refused {
                text: format!("-dM: unknown pool debugging feature <{word}>"),
                instead: "'-dMhelp' lists the words; none has an effect here, so leave '-dM' out".to_owned(),
            });
        }
    }
    Ok(None)
}

/// As C reads it: `0x` and a leading 0 choose the base.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    let (digits, base) = match digits.strip_prefix('0') {
        Some("") => ("0", 8),
        Some(rest) => rest.strip_prefix(['x', 'X']).map_or((rest, 8), |digits| (digits, 16)),
        None => (digits, 10),
    };
    !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(base))
}

fn help() -> String {
    let mut out = "-dM[BYTE][,WORD]... has no effect: memory is initialised before it is used.\n\
                   Of these words one sets and one clears a feature of HAProxy's:\n"
        .to_owned();
    out.extend(FEATURES.iter().map(|(set, clear)| format!("  {set:<12} {clear}\n")));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_and_known_words_are_accepted() {
        for suffix in ["", "0x55", "055", "0", "-1", "tag,no-tag", "7,fail,,poison", ",uaf,", "help"] {
            assert_eq!(read(suffix).map(|action| action.is_some()), Ok(suffix == "help"), "{suffix}");
        }
    }

    #[test]
    fn the_first_wrong_word_is_named() {
        let wrong = [("nosuch,help", "nosuch"), ("fail,0x10", "0x10"), ("tag,FAIL", "FAIL")];
        for (suffix, word) in
            wrong.into_iter().chain(["0xzz", "0x", "08", "8x", "-"].map(|word| (word, word)))
        {
            let Err(Mistake::Refused { text, instead }) = read(suffix) else { panic!("{suffix}") };
            assert!(text.ends_with(&format!("<{word}>")), "{text}");
            assert!(instead.contains("-dMhelp"));
        }
    }
}
