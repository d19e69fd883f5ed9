//! What a request is answered, in HAProxy's words.

use std::fmt::Write as _;

use super::request::{Connection, Request};

/// Who answers; a log line names it in place of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The stats page.
    Page,
    /// A service of `http-request use-service`, by its name in log lines.
    Service(&'static str),
    /// `monitor-uri`, of which no line is logged.
    Monitor,
    /// Nobody: there is no server that could.
    Nobody,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `200`
    pub status: u16,
    /// Who gives it.
    pub by: By,
    /// Beside those of framing and of the connection.
    pub headers: Vec<(&'static str, String)>,
    /// Empty: there is none.
    pub body: String,
}

impl Response {
    /// Text that is not to be kept.
    pub fn text(status: u16, kind: &str, body: String) -> Response {
        let headers = vec![("cache-control", "no-cache".to_owned()), ("content-type", kind.to_owned())];
        Response { status, by: By::Page, headers, body }
    }

    /// One of the pages that HAProxy has for errors.
    pub fn error(status: u16) -> Response {
        Response::text(status, "text/html", page(status))
    }

    /// The same by somebody else.
    pub fn by(self, by: By) -> Response {
        Response { by, ..self }
    }

    /// With one more header; what could end it is left out of the value.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        let value: String = value.into();
        self.headers.push((name, value.chars().filter(|c| !c.is_control()).collect()));
        self
    }

    /// The bytes that go to the client; `stays`: whether another request may follow.
    pub fn encode(&self, request: &Request, stays: bool) -> Vec<u8> {
        let mut out = String::with_capacity(256 + self.body.len());
        put(&mut out, format_args!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)));
        if self.status != 204 {
            put(&mut out, format_args!("content-length: {}\r\n", self.body.len()));
        }
        for (name, value) in &self.headers {
            put(&mut out, format_args!("{name}: {value}\r\n"));
        }
        match (stays, request.is_old || request.connection == Some(Connection::KeepAlive)) {
            (false, _) => out.push_str("connection: close\r\n"),
            (true, true) if request.is_old => out.push_str("connection: keep-alive\r\n"),
            (true, _) => {}
        }
        out.push_str("\r\n");
        if request.method != "HEAD" && self.status != 204 {
            out.push_str(&self.body);
        }
        out.into_bytes()
    }
}

/// The answer to what is no request, after which nothing can follow.
pub fn refusal(status: u16) -> Vec<u8> {
    let body = page(status);
    format!(
        "HTTP/1.1 {status} {}\r\nContent-length: {}\r\nCache-Control: no-cache\r\nConnection: close\r\n\
         Content-Type: text/html\r\n\r\n{body}",
        reason(status),
        body.len()
    )
    .into_bytes()
}

/// The page of an error.
fn page(status: u16) -> String {
    let text = match status {
        200 => "Service ready.",
        400 => "Your browser sent an invalid request.",
        401 => "You need a valid user and password to access this content.",
        403 => "Request forbidden by administrative rules.",
        404 => "The resource could not be found.",
        408 => "Your browser didn't send a complete request in time.",
        500 => "An internal server error occurred.",
        503 => "No server is available to handle this request.",
        _ => "",
    };
    format!("<html><body><h1>{status} {}</h1>\n{text}\n</body></html>\n", reason(status))
}

/// What stands beside a status (RFC 9110, section 15), in HAProxy's spelling.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Time-out",
        409 => "Conflict",
        410 => "Gone",
        413 => "Payload Too Large",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Time-out",
        _ => "Unknown",
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Formatting into a String cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::super::request::Parsed;
    use super::*;

    fn encoded(head: &str, stays: bool) -> String {
        let Parsed::Whole(request, _) = Request::parse(head.as_bytes()) else { panic!("{head:?} is whole") };
        let answer = Response::text(200, "text/plain", "abc".to_owned()).with("x", "a\r\nb");
        String::from_utf8(answer.encode(&request, stays)).expect("text")
    }

    #[test]
    fn the_connection_header_depends_on_the_version() {
        let get = encoded("GET / HTTP/1.1\r\n\r\n", true);
        assert_eq!(
            get,
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncache-control: no-cache\r\ncontent-type: text/plain\r\n\
             x: ab\r\n\r\nabc"
        );
        assert!(encoded("GET / HTTP/1.1\r\n\r\n", false).contains("\r\nconnection: close\r\n"));
        let kept = encoded("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true);
        assert!(kept.contains("\r\nconnection: keep-alive\r\n"));
        assert!(encoded("HEAD / HTTP/1.1\r\n\r\n", true).ends_with("\r\n\r\n"));
    }

    #[test]
    fn refusals_are_haproxys() {
        let bad = String::from_utf8(refusal(400)).expect("text");
        assert!(
            bad.starts_with("HTTP/1.1 400 Bad request\r\nContent-length: 90\r\nCache-Control: no-cache\r\n")
        );
        assert!(String::from_utf8(refusal(408)).expect("text").contains("\r\nContent-length: 110\r\n"));
    }
}
