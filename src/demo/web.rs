//! The debug web port: `/healthz` and the JSON pages, one request a connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::coordinator::Coordinator;
use super::json::Json;
use super::pages::{self, Traffic};

const TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_BYTES: usize = 8 << 10;
const HEADERS: usize = 64;

/// The first line of a request.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    method: String,
    path: String,
    arguments: String,
}

struct Response {
    status: &'static str,
    content_type: &'static str,
    body: String,
}

pub(super) fn serve(coordinator: &Coordinator, stream: &TcpStream, traffic: Traffic) {
    // A client that leaves early is told nothing.
    let _ = exchange(coordinator, stream, traffic);
}

fn exchange(coordinator: &Coordinator, mut stream: &TcpStream, traffic: Traffic) -> io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let Some(request) = read_request(&mut stream)? else {
        return Ok(());
    };
    let response = respond(coordinator, &request, traffic);
    let body = if request.method == "HEAD" { "" } else { response.body.as_str() };
    write!(
        stream,
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        response.status,
        response.content_type,
        response.body.len(),
    )
}

/// None: closed, too long or no HTTP.
fn read_request(input: &mut impl Read) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 1024];
    while bytes.len() < REQUEST_BYTES {
        let count = input.read(&mut piece)?;
        if count == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece[..count]);
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&bytes) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(_)) => return Ok(first_line(&request)),
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

fn first_line(request: &httparse::Request<'_, '_>) -> Option<Request> {
    let target = request.path?;
    let (path, arguments) = target.split_once('?').unwrap_or((target, ""));
    Some(Request {
        method: request.method?.to_owned(),
        path: path.to_owned(),
        arguments: arguments.to_owned(),
    })
}

fn respond(coordinator: &Coordinator, request: &Request, traffic: Traffic) -> Response {
    let plain = |status, body: &str| Response { status, content_type: "text/plain", body: body.to_owned() };
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return plain("405 Method Not Allowed", "GET and HEAD only\n");
    }
    if request.path == "/healthz" {
        let healthy = coordinator.state().healthy;
        return if healthy {
            plain("200 OK", "OK")
        } else {
            plain("503 Service Unavailable", "Not Available")
        };
    }
    match pages::page(coordinator, &request.path, traffic) {
        None => plain("404 Not Found", "No such page\n"),
        Some(page) => show(page, &request.path, wants_json(request)),
    }
}

fn wants_json(request: &Request) -> bool {
    let json = |argument: &str| argument.split('=').next() == Some("json");
    request.path == "/jsonmetrics" || request.arguments.split('&').any(json)
}

fn show(page: Json, path: &str, json: bool) -> Response {
    let (content_type, body) = if json {
        ("application/json", page.to_string())
    } else {
        let head = "<!DOCTYPE html><meta charset=utf-8><title>stand-in coordinator</title>";
        ("text/html; charset=utf-8", format!("{head}<h1>{path}</h1><pre>{page}</pre>\n"))
    };
    Response { status: "200 OK", content_type, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_whole_or_not_at_all() {
        let mut whole = &b"GET /metrics?json&x=1 HTTP/1.1\r\nHost: a\r\n\r\n"[..];
        let request = read_request(&mut whole).unwrap().unwrap();
        assert_eq!((request.path.as_str(), request.arguments.as_str()), ("/metrics", "json&x=1"));
        assert!(wants_json(&request));
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"", b"\x80\x01\x00\x01", &[b'a'; 20_000]] {
            assert_eq!(read_request(&mut &bytes[..]).unwrap(), None);
        }
    }
}
