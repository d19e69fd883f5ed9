//! Sample fetches: what an ACL looks at.

use std::net::{IpAddr, SocketAddr};

use super::Facts;

/// A fetch (configuration manual, section 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetch {
    /// `always_true` and `always_false`; the latter finds nothing.
    Always(bool),
    /// `src`: the client's address.
    Src,
    /// `src_port`.
    SrcPort,
    /// `dst`: the address it connected to.
    Dst,
    /// `dst_port`.
    DstPort,
    /// `path`: the request's path, without the query string.
    Path,
}

/// What a fetch found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample<'a> {
    /// Something is there, without a value to compare.
    Present,
    /// An address.
    Address(IpAddr),
    /// A number.
    Integer(i64),
    /// Text, as received.
    Text(&'a [u8]),
}

/// Every fetch by its name in the file, with the type of what it finds in HAProxy's words.
const NAMES: [(&str, Fetch, &str); 7] = [
    ("always_false", Fetch::Always(false), "bool"),
    ("always_true", Fetch::Always(true), "bool"),
    ("dst", Fetch::Dst, "ip"),
    ("dst_port", Fetch::DstPort, "sint"),
    ("path", Fetch::Path, "str"),
    ("src", Fetch::Src, "ip"),
    ("src_port", Fetch::SrcPort, "sint"),
];

/// The name and type of every fetch.
pub fn fetch_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES.into_iter().map(|(name, _, kind)| (name, kind))
}

/// HAProxy's `tune.http.maxhdr`: a request of more headers is no request.
const HEADERS_MAX: usize = 101;

impl Fetch {
    /// By its name in the file.
    pub fn named(name: &str) -> Option<Fetch> {
        NAMES.iter().find(|(known, ..)| *known == name).map(|(_, fetch, _)| *fetch)
    }

    /// Whether it reads the client's bytes.
    pub fn needs_bytes(self) -> bool {
        self == Fetch::Path
    }

    /// What the session shows of it; None: nothing (yet).
    pub fn sample<'a>(self, facts: &Facts<'a>) -> Option<Sample<'a>> {
        match self {
            Fetch::Always(found) => found.then_some(Sample::Present),
            Fetch::Src => facts.src.map(|address| Sample::Address(address.ip())),
            Fetch::SrcPort => facts.src.map(port),
            Fetch::Dst => facts.dst.map(|address| Sample::Address(address.ip())),
            Fetch::DstPort => facts.dst.map(port),
            Fetch::Path => path(facts.bytes).map(Sample::Text),
        }
    }
}

fn port(address: SocketAddr) -> Sample<'static> {
    Sample::Integer(i64::from(address.port()))
}

/// The path of an HTTP request (RFC 9112, section 3.2). Like HAProxy, of a whole head only: until the
/// empty line is there, the request matches nothing.
fn path(bytes: &[u8]) -> Option<&[u8]> {
    // Empty lines before a request are passed over.
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let bytes = &bytes[start..];
    if !bytes[0].is_ascii_graphic() {
        return None;
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let target = match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => request.path?.as_bytes(),
        Ok(httparse::Status::Partial) => return None,
        Err(_) => simple_request(bytes)?,
    };
    let allowed = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
    if !target.iter().all(allowed) || request.method == Some("CONNECT") {
        return None;
    }
    let target = origin_form(target)?;
    let end = memchr::memchr(b'?', target).unwrap_or(target.len());
    Some(&target[..end])
}

/// The target of `GET target`, a request without version and headers, as HTTP/0.9 had it.
fn simple_request(bytes: &[u8]) -> Option<&[u8]> {
    let line = bytes[..memchr::memchr(b'\n', bytes)?].trim_ascii_end();
    let target = line.strip_prefix(b"GET ")?;
    (!target.is_empty()).then_some(target)
}

/// Cuts scheme and authority off `http://host/path`; None for `*` and `host:port`.
fn origin_form(target: &[u8]) -> Option<&[u8]> {
    if target.first() == Some(&b'/') {
        return Some(target);
    }
    let authority = memchr::memmem::find(target, b"://")? + 3;
    let slash = memchr::memchr(b'/', &target[authority..])?;
    Some(&target[authority + slash..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_ends_at_the_query() {
        assert_eq!(path(b"GET /a/b?c=/d HTTP/1.1\r\n\r\n"), Some(&b"/a/b"[..]));
        assert_eq!(path(b"GET http://h:1/a?b HTTP/1.1\r\n\r\n"), Some(&b"/a"[..]));
        assert_eq!(path(b"OPTIONS * HTTP/1.1\r\n\r\n"), None);
        assert_eq!(path(b"GET http://h HTTP/1.1\r\n\r\n"), None);
    }

    #[test]
    fn only_a_whole_head_has_a_path() {
        assert_eq!(path(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\nbody"), Some(&b"/a"[..]));
        for part in ["GET /a", "GET /a HTTP/1.1", "GET /a HTTP/1.1\r\n", "GET /a HTTP/1.1\r\nHost: h\r\n"] {
            assert_eq!(path(part.as_bytes()), None, "{part:?}");
        }
        assert_eq!(path(b"GET /a\r\n"), Some(&b"/a"[..]));
    }

    #[test]
    fn broken_headers_are_no_request() {
        assert_eq!(path(b"GET /a HTTP/1.1\r\n\x01\x02: x\r\n\r\n"), None);
        assert_eq!(path(b"GET /a HTTP/7.1\r\n\r\n"), None);
        assert_eq!(path(b"CONNECT /a:1 HTTP/1.1\r\n\r\n"), None);
        for path_bytes in ["/a#b", "/\u{e9}", "/a b"] {
            assert_eq!(path(format!("GET {path_bytes} HTTP/1.1\r\n\r\n").as_bytes()), None, "{path_bytes}");
            assert_eq!(path(format!("GET {path_bytes}\r\n").as_bytes()), None, "{path_bytes}");
        }
    }

    #[test]
    fn empty_lines_before_a_request_are_passed_over() {
        assert_eq!(path(b"\r\n\n\r\nGET /a HTTP/1.1\r\n\r\n"), Some(&b"/a"[..]));
        assert_eq!(path(b"\r\n\r\n"), None);
        assert_eq!(path(b"\r\n\x80"), None);
    }
}
