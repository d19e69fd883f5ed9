//! Deciding by what is known of a session: ACLs and the conditions built from them.
//!
//! Pure: [`Facts`] carries everything a fetch may read, and evaluation neither allocates nor fails.
//! A fetch of layer 7 parses the bytes already received, as HAProxy does in mode tcp, and does not
//! match when they are no HTTP request (configuration manual, section 7).

use std::net::SocketAddr;
use std::sync::Arc;

mod acl;
mod condition;
mod elsewhere;
mod fetch;
mod list;
mod pattern;
mod reading;
mod style;

pub use acl::{acl_keywords, parse_acl};
pub use condition::parse_condition;
pub use fetch::{Fetch, Sample, fetch_names};
pub use list::{Entry, List, ListId, Origin, Place, number};
pub use pattern::{Matching, Pattern};
pub use reading::Reading;
pub use style::{Style, parse_address};

/// What a condition may look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The client's address; None for a Unix-socket client.
    pub src: Option<SocketAddr>,
    /// The address the client connected to.
    pub dst: Option<SocketAddr>,
    /// The client's bytes received so far.
    pub bytes: &'a [u8],
}

/// One `acl` line: `acl NAME fetch [-i] [-m method] [--] values`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// Several lines may share a name: the name matches when one of them does. Empty: anonymous.
    pub name: String,
    /// What is looked at.
    pub fetch: Fetch,
    /// How its values are read.
    pub style: Style,
    /// Where its values are kept.
    pub lists: Vec<ListId>,
    /// Those values, any of which may match; none: it never matches.
    pub patterns: Arc<Vec<Pattern>>,
}

/// `if …` or `unless …`: terms joined by AND, groups joined by OR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `unless`.
    pub unless: bool,
    /// OR of ANDs.
    pub any_of: Vec<Vec<Term>>,
}

/// One possibly negated ACL of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// `!`.
    pub negated: bool,
    /// The ACLs of that name (or the one anonymous ACL): any of them matching makes the term true.
    pub acls: Vec<Acl>,
}

/// Why an ACL or a condition cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Index of the offending word among those given to the parser; may be one past the last.
    pub word: usize,
    /// In HAProxy's words, without the file and line.
    pub message: String,
    /// What to write instead, where that helps.
    pub help: Option<String>,
}

impl Mistake {
    fn new(word: usize, message: impl Into<String>) -> Mistake {
        Mistake { word, message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Mistake {
        self.help = Some(help.into());
        self
    }
}

impl Condition {
    /// Whether the rule that carries this condition applies to a session of these facts.
    pub fn holds(&self, facts: &Facts) -> bool {
        let matched = self.any_of.iter().any(|all_of| all_of.iter().all(|term| term.holds(facts)));
        matched != self.unless
    }

    /// With every ACL of the section that a term names: those of lines after the condition count too.
    pub fn with_all_of(mut self, acls: &[Acl]) -> Condition {
        for term in self.any_of.iter_mut().flatten() {
            let name = term.acls.first().map_or("", |acl| acl.name.as_str());
            if !name.is_empty() {
                term.acls = acls.iter().filter(|acl| acl.name == name).cloned().collect();
            }
        }
        self
    }

    /// Whether the client's first bytes can change the answer.
    pub fn needs_bytes(&self) -> bool {
        self.any_of.iter().flatten().flat_map(|term| &term.acls).any(|acl| acl.fetch.needs_bytes())
    }
}

impl Term {
    fn holds(&self, facts: &Facts) -> bool {
        self.acls.iter().any(|acl| acl.matches(facts)) != self.negated
    }
}

impl Acl {
    /// Stands for a line that could not be read, so that what names the ACL is no further mistake.
    pub fn unread(name: &str) -> Acl {
        let style = Style::of_nothing();
        Acl {
            name: name.to_owned(),
            fetch: Fetch::Always(false),
            style,
            lists: Vec::new(),
            patterns: Arc::default(),
        }
    }

    /// Whether one of the values matches; a fetch that finds nothing matches none.
    pub fn matches(&self, facts: &Facts) -> bool {
        match self.fetch.sample(facts) {
            Some(sample) => self.patterns.iter().any(|pattern| pattern.matches(&sample)),
            None => false,
        }
    }

    /// What HAProxy calls the type of its values.
    pub fn type_name(&self) -> &'static str {
        match self.fetch {
            Fetch::Always(_) => "bool",
            _ => self.style.name(),
        }
    }

    /// Reads the values in its lists again. Those that cannot be read count as absent: none such gets
    /// into a list.
    pub fn refresh(&mut self, lists: &[Arc<List>]) {
        let kept = self.lists.iter().filter_map(|id| lists.get(id.0 as usize));
        let read = |entry: &Entry| self.style.read_entry(entry).ok().flatten();
        let patterns = kept.flat_map(|list| list.entries(None)).filter_map(read);
        self.patterns = match self.style.is_found() {
            true => Arc::new(vec![Pattern::Found]),
            false => Arc::new(patterns.collect()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn condition(text: &str, acls: &[&str]) -> Condition {
        reading::alone(|reading| {
            let acl = |line: &&str| {
                let words: Vec<&str> = line.split_whitespace().collect();
                parse_acl(words[0], &words[1..], reading).expect("a valid acl")
            };
            let mut acls: Vec<Acl> = acls.iter().map(acl).collect();
            let words: Vec<&str> = text.split_whitespace().collect();
            parse_condition(&words, &mut acls, reading).expect("a valid condition")
        })
    }

    fn client(address: &str, bytes: &'static str) -> Facts<'static> {
        let dst = Some("10.0.0.9:5000".parse().expect("an address"));
        Facts { src: Some(address.parse().expect("an address")), dst, bytes: bytes.as_bytes() }
    }

    #[test]
    fn a_condition_joins_with_and_or_and_not() {
        let acls = ["lan src 10.0.0.0/8", "web dst_port 80 443", "lan src 192.168.0.0/16"];
        let holds = |text, from| condition(text, &acls).holds(&client(from, ""));
        assert!(holds("if lan", "192.168.3.4:5"));
        assert!(holds("if lan !web", "10.1.2.3:5"));
        assert!(!holds("if lan web", "10.1.2.3:5"));
        assert!(holds("if lan web or { dst_port 5000 }", "10.1.2.3:5"));
        assert!(holds("if web || lan", "10.1.2.3:5"));
        assert!(holds("unless lan", "11.1.2.3:5"));
        assert!(holds("if TRUE", "11.1.2.3:5") && !holds("if FALSE", "11.1.2.3:5"));
        assert!(holds("if LOCALHOST", "127.0.0.9:5") && !holds("if LOCALHOST", "11.1.2.3:5"));
        assert!(holds("if ! { src 11.0.0.1 }", "11.1.2.3:5"));
    }

    #[test]
    fn a_whole_request_head_has_a_path() {
        let published = ["url_static path_beg -i /static /images", "url_static path_end -i .jpg .css"];
        let holds = |bytes| condition("if url_static", &published).holds(&client("1.2.3.4:5", bytes));
        assert!(holds("GET /static/x HTTP/1.1\r\n\r\n"));
        assert!(holds("GET /STATIC/x HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(holds("GET /a.css?v=3 HTTP/1.0\r\n\r\n"));
        assert!(holds("GET http://host:1/static/x HTTP/1.1\r\n\r\n"));
        assert!(!holds("GET /static/x HTTP/1.1\r\nHost: a\r\n"));
        assert!(!holds("GET /other HTTP/1.1\r\n\r\n"));
        assert!(!holds("CONNECT host:443 HTTP/1.1\r\n\r\n"));
        assert!(!holds(""));
    }

    #[test]
    fn needs_bytes_only_for_layer_7() {
        assert!(condition("if TRUE or { path /x }", &[]).needs_bytes());
        assert!(!condition("if { src 1.2.3.4 } { dst_port 1 }", &[]).needs_bytes());
    }

    fn every_path() -> Condition {
        condition("if { path -m found }", &[])
    }

    /// A strict binary-protocol call as Impala's clients send it: version, name, sequence, body.
    fn thrift_call(name: &str, sequence: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x80, 1, 0, 1];
        bytes.extend((name.len() as u32).to_be_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(sequence.to_be_bytes());
        bytes.extend(body);
        bytes
    }

    proptest! {
        #[test]
        fn thrift_is_never_http(name in "[A-Za-z]{1,40}", sequence: u32, body: Vec<u8>, framed: bool) {
            let mut bytes = thrift_call(&name, sequence, &body);
            if framed {
                let length = (bytes.len() as u32).to_be_bytes();
                bytes.splice(0..0, length);
            }
            let facts = Facts { src: None, dst: None, bytes: &bytes };
            prop_assert!(!every_path().holds(&facts));
        }

        #[test]
        fn sasl_is_never_http(status in 1u8..6, payload: Vec<u8>) {
            let mut bytes = vec![status];
            bytes.extend((payload.len() as u32).to_be_bytes());
            bytes.extend(payload);
            let facts = Facts { src: None, dst: None, bytes: &bytes };
            prop_assert!(!every_path().holds(&facts));
        }

        #[test]
        fn random_bytes_never_panic_and_never_match(bytes: Vec<u8>) {
            let facts = Facts { src: None, dst: None, bytes: &bytes };
            prop_assert!(!every_path().holds(&facts));
        }

        #[test]
        fn mutated_requests_never_panic(at: prop::sample::Index, byte: u8) {
            let mut bytes = b"GET http://h/static/x?y HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            every_path().holds(&Facts { src: None, dst: None, bytes: &bytes });
        }
    }
}
