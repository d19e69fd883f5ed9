//! How a stats socket's bytes become commands (management manual, section 9.3). Knows no socket.

/// The longest command line, bytes; HAProxy's is one buffer too.
pub const LONGEST_LINE: usize = 16_384;

/// Bytes received and not yet understood.
#[derive(Debug, Default)]
pub struct Dialogue {
    received: Vec<u8>,
    ended: bool,
}

/// The next thing in a dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// One line, without its end: commands joined by `;`.
    Line(String),
    /// Nothing complete yet.
    More,
    /// The client will say no more.
    End,
    /// A line beyond [`LONGEST_LINE`].
    TooLong,
}

impl Dialogue {
    /// Takes bytes in; none: the client has finished sending.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.ended |= bytes.is_empty();
        self.received.extend_from_slice(bytes);
    }

    /// The next line. What stands before the end without a line feed counts as a line.
    pub fn next(&mut self) -> Next {
        let length = match memchr::memchr(b'\n', &self.received) {
            Some(at) => at + 1,
            None if self.received.len() > LONGEST_LINE => return Next::TooLong,
            None if !self.ended => return Next::More,
            None if self.received.is_empty() => return Next::End,
            None => self.received.len(),
        };
        if length > LONGEST_LINE {
            return Next::TooLong;
        }
        let line: Vec<u8> = self.received.drain(..length).collect();
        let text = String::from_utf8_lossy(&line);
        Next::Line(text.trim_end_matches(['\n', '\r']).to_owned())
    }

    /// Whether a complete line waits: several may be sent at once.
    pub fn has_line(&self) -> bool {
        memchr::memchr(b'\n', &self.received).is_some()
    }
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
        assert_eq!(dialogue.next(), Next::Line("show info".to_owned()));
        assert_eq!(dialogue.next(), Next::More);
        dialogue.receive(b"at");
        dialogue.receive(b"");
        assert_eq!(dialogue.next(), Next::Line("show stat".to_owned()));
        assert_eq!(dialogue.next(), Next::End);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut dialogue = Dialogue::default();
        dialogue.receive(&vec![b'x'; LONGEST_LINE + 1]);
        assert_eq!(dialogue.next(), Next::TooLong);
        let mut dialogue = Dialogue::default();
        dialogue.receive(&[vec![b'x'; LONGEST_LINE + 1], b"\n".to_vec()].concat());
        assert_eq!(dialogue.next(), Next::TooLong);
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
