//! To whom a command on the master socket goes (management manual, section 9.4). Pure.

/// Who is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `@master`, `@`
    Master,
    /// `@N`: the worker that serves is 1.
    Relative(u32),
    /// `@!PID`
    Process(i32),
}

/// A command and its target, None when it names none; an empty command changes the target for what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// Its prefix.
    pub target: Option<Target>,
    /// The rest.
    pub text: &'a str,
}

/// A prefix that names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown<'a>(pub &'a str);

/// Reads one command.
pub fn read(text: &str) -> Result<Command<'_>, Unknown<'_>> {
    let text = text.trim();
    if !text.starts_with('@') {
        return Ok(Command { target: None, text });
    }
    let (prefix, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let name = prefix.trim_start_matches('@');
    let target = match name.strip_prefix('!') {
        Some(pid) => pid.parse().ok().map(Target::Process),
        None if matches!(name, "" | "master") => Some(Target::Master),
        None => name
            .parse()
            .ok()
            .map(|number| if number == 0 { Target::Master } else { Target::Relative(number) }),
    };
    let target = target.ok_or(Unknown(prefix))?;
    Ok(Command { target: Some(target), text: rest.trim_start() })
}

/// The commands of a line: cut at each `;` without a backslash before it.
pub fn split(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut escaped) = (0, false);
    for (at, c) in line.char_indices() {
        if c == ';' && !escaped {
            parts.push(&line[from..at]);
            from = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(&line[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_name_a_process() {
        let target = |text| read(text).map(|command| (command.target, command.text));
        assert_eq!(target("show proc"), Ok((None, "show proc")));
        assert_eq!(target("@1 show info"), Ok((Some(Target::Relative(1)), "show info")));
        assert_eq!(target("@@1 show info"), Ok((Some(Target::Relative(1)), "show info")));
        assert_eq!(target("@!42  show info"), Ok((Some(Target::Process(42)), "show info")));
        assert_eq!(target("@"), Ok((Some(Target::Master), "")));
        assert_eq!(target(" @master show version"), Ok((Some(Target::Master), "show version")));
        assert_eq!(target("@x show info"), Err(Unknown("@x")));
        assert_eq!(target("@!x"), Err(Unknown("@!x")));
    }

    #[test]
    fn semicolons_part_commands() {
        assert_eq!(split("@1 show info;show proc"), ["@1 show info", "show proc"]);
        assert_eq!(split("a\\;b;c"), ["a\\;b", "c"]);
        assert_eq!(split(""), [""]);
    }
}
