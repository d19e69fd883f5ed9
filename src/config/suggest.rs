//! Did you mean: the known word nearest to an unknown one.

/// The nearest candidate, None when none is near: at most a third of the letters may differ.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length == 0 || length > 64 {
        return None;
    }
    let near = |candidate: &'a str| {
        let limit = (length.max(candidate.len()) / 3).max(1);
        let distance = distance(word, candidate);
        (distance > 0 && distance <= limit).then_some((distance, candidate))
    };
    candidates
        .into_iter()
        .filter_map(near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1; b.len() + 1];
        for j in 0..b.len() {
            let replaced = last[j] + usize::from(a[i] != b[j]);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                row[j + 1] = row[j + 1].min(before_last[j - 1] + 1);
            }
        }
        before_last = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const WORDS: [&str; 5] = ["timeout", "balance", "retries", "bind", "backlog"];

    #[test]
    fn a_swap_a_missing_and_a_wrong_letter_are_near() {
        assert_eq!(nearest("tiemout", WORDS), Some("timeout"));
        assert_eq!(nearest("blance", WORDS), Some("balance"));
        assert_eq!(nearest("retrias", WORDS), Some("retries"));
    }

    #[test]
    fn a_different_word_is_not() {
        assert_eq!(nearest("frobnicate", WORDS), None);
        assert_eq!(nearest("", WORDS), None);
        assert_eq!(nearest("bind", ["bind"]), None);
    }
}
