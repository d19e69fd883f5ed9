//! Reading `if …` and `unless …` (configuration manual, section 7.2).

use super::{Acl, Condition, Mistake, Reading, Term, elsewhere, parse_acl};

/// Reads `if …` or `unless …`, the keyword included, against the section's ACLs so far, to which it adds the
/// predefined ones that it names. What later lines add to these, [`Condition::with_all_of`] fills in.
pub fn parse_condition(
    words: &[&str],
    acls: &mut Vec<Acl>,
    reading: &mut Reading<'_>,
) -> Result<Condition, Mistake> {
    let unless = words.first() == Some(&"unless");
    let mut any_of = vec![Vec::new()];
    let mut negated = false;
    let mut at = 1;
    while at < words.len() {
        let word = words[at];
        let name = word.trim_start_matches('!');
        negated ^= (word.len() - name.len()) % 2 == 1;
        if name.is_empty() {
            at += 1;
            continue;
        }
        if name == "||" || name.eq_ignore_ascii_case("or") {
            any_of.push(Vec::new());
            negated = false;
            at += 1;
            continue;
        }
        let (found, next) = parse_term(name, words, at, acls, reading)?;
        let group = any_of.last_mut().expect("a group is there from the start");
        group.push(Term { negated, acls: found });
        negated = false;
        at = next;
    }
    // An empty AND would be true. For HAProxy it is nothing, as is a last `!`: what has no term at all is false.
    any_of.retain(|group| !group.is_empty());
    Ok(Condition { unless, any_of })
}

/// The ACLs meant by the word at `at` and the index after them.
fn parse_term(
    name: &str,
    words: &[&str],
    at: usize,
    acls: &mut Vec<Acl>,
    reading: &mut Reading<'_>,
) -> Result<(Vec<Acl>, usize), Mistake> {
    if name == "{" {
        return parse_anonymous(words, at, reading);
    }
    let named: Vec<Acl> = acls.iter().filter(|acl| acl.name == name).cloned().collect();
    if !named.is_empty() {
        return Ok((named, at + 1));
    }
    let meaning = predefined(name).ok_or_else(|| unknown_acl(name, at))?;
    let acl = parse_acl(name, meaning, reading)?;
    acls.push(acl.clone());
    Ok((vec![acl], at + 1))
}

fn parse_anonymous(
    words: &[&str],
    open: usize,
    reading: &mut Reading<'_>,
) -> Result<(Vec<Acl>, usize), Mistake> {
    let inside = &words[open + 1..];
    let length = inside
        .iter()
        .position(|word| *word == "}")
        .ok_or_else(|| Mistake::new(words.len(), "missing closing '}' in condition."))?;
    let acl = parse_acl("", &inside[..length], reading)
        .map_err(|mistake| Mistake { word: mistake.word + open + 1, ..mistake })?;
    Ok((vec![acl], open + length + 2))
}

fn unknown_acl(name: &str, at: usize) -> Mistake {
    if elsewhere::is_acl(name) {
        return Mistake::new(at, format!("predefined ACL '{name}' is not supported here."))
            .help("remove it from the condition: of those without a line of their own, TRUE, FALSE and LOCALHOST are there");
    }
    let mistake = Mistake::new(at, format!("no such ACL : '{name}'."));
    if name.starts_with('{') || name == "}" {
        return mistake.help("braces of an anonymous ACL stand alone: { src 10.0.0.0/8 }");
    }
    mistake.help("an 'acl' line must define it above this one, in the same section")
}

fn predefined(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "TRUE" => Some(&["always_true"]),
        "FALSE" => Some(&["always_false"]),
        "LOCALHOST" => Some(&["src", "127.0.0.0/8", "::1"]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Facts, reading};
    use super::*;

    fn parse(line: &str) -> Result<Condition, Mistake> {
        let words: Vec<&str> = line.split_whitespace().collect();
        reading::alone(|reading| parse_condition(&words, &mut Vec::new(), reading))
    }

    fn message(line: &str) -> (usize, String) {
        let mistake = parse(line).expect_err("an invalid condition");
        (mistake.word, mistake.message)
    }

    #[test]
    fn negations_cancel_out() {
        let negated = |line| parse(line).expect("a valid condition").any_of[0][0].negated;
        assert!(negated("if !TRUE") && negated("if ! TRUE") && negated("if !!!TRUE"));
        assert!(!negated("if !!TRUE") && !negated("if ! ! TRUE"));
        assert!(negated("if !{ src 1.2.3.4 }"));
    }

    #[test]
    fn mistakes_name_their_word() {
        assert_eq!(message("if a"), (1, "no such ACL : 'a'.".to_owned()));
        let known = "predefined ACL 'WAIT_END' is not supported here.";
        assert_eq!(message("if TRUE !WAIT_END"), (2, known.to_owned()));
        assert_eq!(message("if TRUE { path /x"), (5, "missing closing '}' in condition.".to_owned()));
        assert_eq!(message("if { src x }").0, 3);
        assert_eq!(message("if TRUE { src 1.2.3.4 } }"), (6, "no such ACL : '}'.".to_owned()));
    }

    /// What haproxy 2.6 does with each, tried on a `use_backend` line.
    #[test]
    fn nothing_is_false() {
        let facts = Facts { src: None, dst: None, bytes: b"" };
        let holds = |line| parse(line).expect("a valid condition").holds(&facts);
        let yes = [
            "unless",
            "unless !",
            "if TRUE or",
            "if or TRUE",
            "if TRUE !",
            "if TRUE or !",
            "if ! or TRUE",
            "if !or TRUE",
            "if FALSE OR TRUE",
        ];
        let no =
            ["if", "if !", "if or", "if FALSE !", "if FALSE or or FALSE", "if ! || FALSE", "if || ! TRUE"];
        assert!(yes.iter().all(|line| holds(line)), "{:?}", yes.map(holds));
        assert!(no.iter().all(|line| !holds(line)), "{:?}", no.map(holds));
    }
}
