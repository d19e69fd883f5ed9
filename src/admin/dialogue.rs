//! How a stats socket's bytes become commands (management manual, section 9.3). Knows no socket.

/// The longest command line, bytes; HAProxy's is one buffer too.
pub const LONGEST_LINE: usize = 16_384;

/// The longest payload, bytes.
pub const LONGEST_PAYLOAD: usize = 1 << 20;

/// Bytes received and not yet understood.
#[derive(Debug, Default)]
pub struct Dialogue {
    received: Vec<u8>,
    ended: bool,
    /// A line that ended with `<<`, and what came after it so far.
    unfinished: Option<Unfinished>,
}

/// What a client says at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Commands joined by `;`, without the line's end.
    pub text: String,
    /// The lines that followed `<<`.
    pub payload: Option<String>,
}

#[derive(Debug)]
struct Unfinished {
    line: Line,
    /// The line that ends the payload; empty without a pattern.
    end: String,
}

/// The next thing in a dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A whole line, with its payload.
    Line(Line),
    /// A line that a payload follows, or one of its lines: more must come.
    Continued,
    /// Nothing complete yet.
    More,
    /// The client will say no more.
    End,
    /// A line beyond [`LONGEST_LINE`], or a payload beyond [`LONGEST_PAYLOAD`].
    TooLong,
}

impl From<&str> for Line {
    fn from(text: &str) -> Line {
        Line { text: text.to_owned(), payload: None }
    }
}

impl Dialogue {
    /// Takes bytes in; none: the client has finished sending.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.ended |= bytes.is_empty();
        self.received.extend_from_slice(bytes);
    }

    /// The next line. What stands before the end without a line feed is none, as in HAProxy: a command that
    /// was cut off on its way must not be followed.
    pub fn advance(&mut self) -> Next {
        let length = match memchr::memchr(b'\n', &self.received) {
            Some(at) => at + 1,
            None if self.received.len() > LONGEST_LINE => return Next::TooLong,
            None if !self.ended => return Next::More,
            None => return Next::End,
        };
        if length > LONGEST_LINE {
            return Next::TooLong;
        }
        let line: Vec<u8> = self.received.drain(..length).collect();
        let text = String::from_utf8_lossy(&line);
        self.take(text.trim_end_matches(['\n', '\r']))
    }

    fn take(&mut self, text: &str) -> Next {
        match self.unfinished.take() {
            None => match payload_follows(text) {
                None => Next::Line(text.into()),
                Some((command, end)) => {
                    let line = Line { text: command.to_owned(), payload: Some(String::new()) };
                    self.unfinished = Some(Unfinished { line, end: end.to_owned() });
                    Next::Continued
                }
            },
            Some(unfinished) if text == unfinished.end => Next::Line(unfinished.line),
            Some(mut unfinished) => {
                let payload = unfinished.line.payload.get_or_insert_default();
                payload.push_str(text);
                payload.push('\n');
                if payload.len() > LONGEST_PAYLOAD {
                    return Next::TooLong;
                }
                self.unfinished = Some(unfinished);
                Next::Continued
            }
        }
    }

    /// Whether a complete line waits: several may be sent at once.
    pub fn has_line(&self) -> bool {
        memchr::memchr(b'\n', &self.received).is_some()
    }
}

/// The command and the pattern of a line whose last word is `<<` or `<<PATTERN`.
fn payload_follows(text: &str) -> Option<(&str, &str)> {
    let (command, last) = text.trim_end().rsplit_once(' ')?;
    Some((command, last.strip_prefix("<<")?))
}

/// The commands of a line: split at `;`, where a backslash takes the next character literally.
pub fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            ';' => {
                words.extend(word.take());
                commands.push(std::mem::take(&mut words));
            }
            ' ' | '\t' => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    commands.push(words);
    // `a;;b` and a trailing `;` hold no command; a line that holds none at all is one empty command.
    let count = commands.len();
    commands.retain(|words| count == 1 || !words.is_empty());
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_whatever_the_pieces() {
        let mut dialogue = Dialogue::default();
        for byte in b"show info\r\nshow st" {
            dialogue.receive(&[*byte]);
        }
        assert!(dialogue.has_line());
        assert_eq!(dialogue.advance(), Next::Line("show info".into()));
        assert_eq!(dialogue.advance(), Next::More);
        dialogue.receive(b"at\nset weight b/s1 1");
        dialogue.receive(b"");
        assert_eq!(dialogue.advance(), Next::Line("show stat".into()));
        assert_eq!(dialogue.advance(), Next::End, "the weight may have been 10");
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut dialogue = Dialogue::default();
        dialogue.receive(&vec![b'x'; LONGEST_LINE + 1]);
        assert_eq!(dialogue.advance(), Next::TooLong);
        let mut dialogue = Dialogue::default();
        dialogue.receive(&[vec![b'x'; LONGEST_LINE + 1], b"\n".to_vec()].concat());
        assert_eq!(dialogue.advance(), Next::TooLong);
    }

    #[test]
    fn a_payload_ends_with_an_empty_line_or_its_pattern() {
        let line = |text: &str, payload: &str| {
            Next::Line(Line { text: text.to_owned(), payload: Some(payload.to_owned()) })
        };
        let mut dialogue = Dialogue::default();
        dialogue.receive(b"add map #0 <<\na b\nc d\n\nset x <<END\n\none\nEND\nshow info\n");
        let all: Vec<Next> = std::iter::repeat_with(|| dialogue.advance()).take(9).collect();
        let more = || Next::Continued;
        let expected = [
            more(),
            more(),
            more(),
            line("add map #0", "a b\nc d\n"),
            more(),
            more(),
            more(),
            line("set x", "\none\n"),
            Next::Line("show info".into()),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_payload_has_a_limit() {
        let mut dialogue = Dialogue::default();
        dialogue.receive(b"add map #0 <<\n");
        assert_eq!(dialogue.advance(), Next::Continued);
        let mut next = Next::Continued;
        while next == Next::Continued {
            dialogue.receive(&[&[b'x'; 1023][..], b"\n"].concat());
            next = dialogue.advance();
        }
        assert_eq!(next, Next::TooLong);
    }

    #[test]
    fn semicolons_separate_and_backslashes_protect() {
        let split = |line| commands(line).iter().map(|words| words.join("|")).collect::<Vec<_>>();
        assert_eq!(split("show info;show  stat x"), ["show|info", "show|stat|x"]);
        assert_eq!(split(" a\\;b c\\ d ;; e;"), ["a;b|c d", "e"]);
        assert_eq!(split(""), [""]);
        assert_eq!(split("\\"), [""]);
    }
}
