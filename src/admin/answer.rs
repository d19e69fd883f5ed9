//! What a command says.

use crate::log::Level;

/// The text of an answer, and how serious it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Lines; empty: done, with nothing to say.
    pub text: String,
    /// None: a listing, which `set severity-output` does not mark.
    pub level: Option<Level>,
}

impl Answer {
    /// Done.
    pub fn done() -> Answer {
        Answer::default()
    }

    /// A listing.
    pub fn listing(text: impl Into<String>) -> Answer {
        Answer { text: text.into(), level: None }
    }

    /// A text that is no listing.
    pub fn told(text: impl Into<String>) -> Answer {
        Answer { text: text.into(), level: Some(Level::Info) }
    }

    /// One line about what was done.
    pub fn message(level: Level, line: impl Into<String>) -> Answer {
        let mut text = line.into();
        if !text.is_empty() {
            text.push('\n');
        }
        Answer { text, level: Some(level) }
    }

    /// Why a command was not followed.
    pub fn refusal(line: impl Into<String>) -> Answer {
        Answer::message(Level::Err, line)
    }

    /// A command that HAProxy has and this version has not.
    pub fn missing(what: &str) -> Answer {
        Answer::refusal(format!("'{what}' is not available in Pronk {}.", env!("CARGO_PKG_VERSION")))
    }

    /// With what `set severity-output` puts before it.
    pub fn marked(self, output: SeverityOutput) -> String {
        match (self.level, output) {
            (Some(level), SeverityOutput::Number) if !self.text.is_empty() => {
                format!("[{}]: {}", level.number(), self.text)
            }
            (Some(level), SeverityOutput::Word) if !self.text.is_empty() => {
                format!("[{}]: {}", word(level), self.text)
            }
            _ => self.text,
        }
    }
}

/// `set severity-output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SeverityOutput {
    /// `none`
    #[default]
    Nothing,
    /// `number`: `[3]: ` before a message.
    Number,
    /// `string`: `[err]: ` before a message.
    Word,
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Emerg => "emerg",
        Level::Alert => "alert",
        Level::Crit => "crit",
        Level::Err => "err",
        Level::Warning => "warning",
        Level::Notice => "notice",
        Level::Info => "info",
        Level::Debug => "debug",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_are_marked() {
        let refusal = || Answer::refusal("No such server.");
        assert_eq!(refusal().marked(SeverityOutput::Nothing), "No such server.\n");
        assert_eq!(refusal().marked(SeverityOutput::Number), "[3]: No such server.\n");
        assert_eq!(refusal().marked(SeverityOutput::Word), "[err]: No such server.\n");
        assert_eq!(Answer::listing("a\n").marked(SeverityOutput::Number), "a\n");
        assert_eq!(Answer::done().marked(SeverityOutput::Number), "");
    }
}
