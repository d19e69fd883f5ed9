//! The head of an HTTP/1 request (RFC 9112), as far as answers and log lines depend on it.

use httparse::{EMPTY_HEADER, Status};

/// HAProxy takes no more either (`tune.http.maxhdr`).
const HEADERS_MAX: usize = 101;

/// What bytes of a client are so far.
#[derive(Debug)]
pub enum Parsed {
    /// The beginning of a request.
    Partial,
    /// No HTTP/1 request.
    Bad,
    /// A request, and how many bytes its head has.
    Whole(Request, usize),
}

/// A request without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`
    pub method: String,
    /// As it came: in origin or absolute form.
    pub target: String,
    /// The whole head, which conditions look at.
    pub head: Vec<u8>,
    /// HTTP/1.0
    pub is_old: bool,
    /// `Authorization`
    pub authorization: Option<Vec<u8>>,
    /// What `Connection` asks for.
    pub connection: Option<Connection>,
    /// `Expect: 100-continue`
    pub expects: bool,
    /// What follows the head.
    pub body: Body,
}

/// What a client says of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// `close`
    Close,
    /// `keep-alive`
    KeepAlive,
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// So many bytes; 0: there is none.
    Sized(usize),
    /// Its chunks tell.
    Chunked,
}

impl Request {
    /// Reads what a client has sent.
    pub fn parse(bytes: &[u8]) -> Parsed {
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut headers);
        match parsed.parse(bytes) {
            Ok(Status::Partial) => Parsed::Partial,
            Ok(Status::Complete(length)) => match Request::of(&parsed, &bytes[..length]) {
                Some(request) => Parsed::Whole(request, length),
                None => Parsed::Bad,
            },
            Err(_) => Parsed::Bad,
        }
    }

    /// None: its lengths contradict each other or are none, and nobody knows where it ends.
    fn of(parsed: &httparse::Request<'_, '_>, head: &[u8]) -> Option<Request> {
        let is_old = parsed.version == Some(0);
        let mut request = Request {
            method: parsed.method?.to_owned(),
            target: parsed.path?.to_owned(),
            head: head.to_vec(),
            is_old,
            authorization: None,
            connection: None,
            expects: false,
            body: Body::Sized(0),
        };
        let mut length = None;
        for header in &*parsed.headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("authorization") {
                request.authorization = Some(header.value.to_vec());
            } else if is("host") {
                request.is_for(header.value).then_some(())?;
            } else if is("connection") {
                request.connection = connection(header.value).or(request.connection);
            } else if is("expect") {
                request.expects = header.value.eq_ignore_ascii_case(b"100-continue");
            } else if is("transfer-encoding") {
                header.value.eq_ignore_ascii_case(b"chunked").then_some(())?;
                request.body = Body::Chunked;
            } else if is("content-length") {
                let own = std::str::from_utf8(header.value).ok().filter(|text| !text.starts_with('+'))?;
                let own: usize = own.parse().ok()?;
                length.is_none_or(|known| known == own).then_some(())?;
                length = Some(own);
            }
        }
        match (request.body, length) {
            (Body::Chunked, Some(_)) => return None,
            (Body::Sized(_), Some(length)) => request.body = Body::Sized(length),
            _ => {}
        }
        Some(request)
    }

    /// Whether a `Host` header agrees with the target, if that names a host too.
    fn is_for(&self, host: &[u8]) -> bool {
        let Some((_, rest)) = self.target.split_once("://").filter(|_| !self.target.starts_with('/')) else {
            return true;
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let bare = |name: &[u8]| name.strip_suffix(b":80").unwrap_or(name).to_ascii_lowercase();
        bare(authority.as_bytes()) == bare(host)
    }

    /// `GET /stats HTTP/1.1`
    pub fn line(&self) -> String {
        format!("{} {} HTTP/1.{}", self.method, self.target, u8::from(!self.is_old))
    }

    /// The target in origin form.
    pub fn path_and_query(&self) -> &str {
        let Some((_, rest)) = self.target.split_once("://").filter(|_| !self.target.starts_with('/')) else {
            return &self.target;
        };
        rest.find('/').map_or("/", |slash| &rest[slash..])
    }

    /// The target as far as its query.
    pub fn path(&self) -> &str {
        let target = self.path_and_query();
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// What follows `?`.
    pub fn query(&self) -> &str {
        self.path_and_query().split_once('?').map_or("", |(_, query)| query)
    }

    /// Whether another request may follow.
    pub fn keeps_alive(&self) -> bool {
        match self.connection {
            Some(Connection::Close) => false,
            Some(Connection::KeepAlive) => true,
            None => !self.is_old,
        }
    }
}

/// The first word of a `Connection` header that says how to go on.
fn connection(value: &[u8]) -> Option<Connection> {
    value.split(|byte| *byte == b',').find_map(|word| match word.trim_ascii() {
        word if word.eq_ignore_ascii_case(b"close") => Some(Connection::Close),
        word if word.eq_ignore_ascii_case(b"keep-alive") => Some(Connection::KeepAlive),
        _ => None,
    })
}

/// A chunked body that is complete: its content, and how many bytes it takes. None: more must come.
pub fn unchunked(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut content, mut at) = (Vec::new(), 0);
    while let Ok(Status::Complete((line, size))) = httparse::parse_chunk_size(&bytes[at..]) {
        at += line;
        if size == 0 {
            // Trailers end with an empty line, as headers do.
            let mut none = [EMPTY_HEADER; HEADERS_MAX];
            let Ok(Status::Complete((length, _))) = httparse::parse_headers(&bytes[at..], &mut none) else {
                return None;
            };
            return Some((content, at + length));
        }
        let size = usize::try_from(size).ok()?;
        content.extend_from_slice(bytes.get(at..at.checked_add(size)?)?);
        at += size + 2;
        bytes.get(..at)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Request> {
        match Request::parse(text.as_bytes()) {
            Parsed::Whole(request, length) => (length == text.len()).then_some(request),
            Parsed::Partial | Parsed::Bad => None,
        }
    }

    #[test]
    fn heads_say_what_follows() {
        let get =
            parsed("GET http://h/stats;csv?a HTTP/1.0\r\nAuthorization: Basic x\r\n\r\n").expect("whole");
        assert_eq!((get.path_and_query(), get.path(), get.query()), ("/stats;csv?a", "/stats;csv", "a"));
        assert_eq!(get.line(), "GET http://h/stats;csv?a HTTP/1.0");
        assert!(!get.keeps_alive() && get.authorization.as_deref() == Some(b"Basic x"));
        let post =
            parsed("POST / HTTP/1.1\r\nContent-Length: 3\r\nConnection: x, Close\r\n\r\n").expect("whole");
        assert_eq!((post.body, post.keeps_alive()), (Body::Sized(3), false));
        let old = parsed("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").expect("whole");
        assert!(old.keeps_alive());
        assert!(parsed("GET http://h HTTP/1.1\r\n\r\n").is_some_and(|request| request.path() == "/"));
    }

    #[test]
    fn what_is_no_request_is_bad_at_once() {
        for text in [
            "\x16\x03\x01",
            "GET /a b HTTP/1.1\r\n\r\n",
            "GET /stats\r\n\r\n",
            "GET http://h/ HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        ] {
            assert!(matches!(Request::parse(text.as_bytes()), Parsed::Bad), "{text:?}");
        }
        assert!(matches!(Request::parse(b"GET /x HT"), Parsed::Partial));
    }

    #[test]
    fn chunks_are_joined() {
        let whole = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: x\r\n\r\nrest";
        assert_eq!(unchunked(whole), Some((b"abcde".to_vec(), whole.len() - 4)));
        for end in 0..whole.len() - 4 {
            assert_eq!(unchunked(&whole[..end]), None, "{end}");
        }
        assert_eq!(unchunked(b"ffffffffffffffff\r\nx"), None);
        assert_eq!(unchunked(b"zz\r\n"), None);
    }
}
