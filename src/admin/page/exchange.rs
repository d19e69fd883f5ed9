//! One connection of a client: requests in, answers out, each step with its deadline.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::journal::{Ends, Outcome, Visit};
use super::request::{Body, Parsed, Request, unchunked};
use super::response::refusal;
use super::{Site, respond};
use crate::session::termination::{Cause, Stage, Termination};

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For complete headers, also between two requests, and for a body.
    pub request: Duration,
    /// For everything: a client that reads slowly must come again.
    pub connection: Duration,
}

/// A head or a body beyond this size is refused (`tune.bufsize`).
const BUFFER_SIZE: usize = 16_384;

/// How long a client that was answered may take to close its side.
const LINGER: Duration = Duration::from_secs(1);

/// Why there is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    /// The client has gone, or went on saying nothing.
    Left(Cause),
    /// It says something else.
    Bad,
}

/// What was sent with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// All of it; nothing for a request without a body.
    Whole(Vec<u8>),
    /// More than the buffer holds.
    TooLong,
    /// Less than was announced.
    Unfinished,
}

impl Form {
    fn is_whole(&self) -> bool {
        matches!(self, Form::Whole(_))
    }
}

/// A client, and what it sent that is not yet used.
struct Exchange<S> {
    stream: S,
    buffer: Vec<u8>,
    ends: Ends,
    patience: Patience,
    over_at: Instant,
}

/// Serves one client to its end.
pub async fn serve<S>(stream: S, ends: Ends, site: &Site, patience: Patience)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let over_at = Instant::now() + patience.connection;
    let mut exchange = Exchange { stream, buffer: Vec::new(), ends, patience, over_at };
    if let Err(error) = exchange.run(site).await {
        tracing::debug!(%error, "stats page");
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<S> {
    async fn run(&mut self, site: &Site) -> io::Result<()> {
        let mut is_first = true;
        loop {
            let mut visit = Visit::new();
            let deadline = self.over_at.min(Instant::now() + self.patience.request);
            match self.request(&mut visit, deadline).await {
                Ok(request) => {
                    if !self.answer(site, request, visit, deadline).await? {
                        return self.finish().await;
                    }
                }
                // Between two requests a client may leave without a word.
                Err(Missing::Left(_)) if visit.is_silent() && !is_first => return Ok(()),
                Err(missing) => return self.refuse(site, visit, missing).await,
            }
            is_first = false;
        }
    }

    /// The next request's head.
    async fn request(&mut self, visit: &mut Visit, deadline: Instant) -> Result<Request, Missing> {
        if !self.buffer.is_empty() {
            visit.begin();
        }
        loop {
            match Request::parse(&self.buffer) {
                Parsed::Whole(request, length) => {
                    visit.understand(request.line());
                    visit.received += length as u64;
                    self.buffer.drain(..length);
                    return Ok(request);
                }
                Parsed::Bad => return Err(Missing::Bad),
                Parsed::Partial if self.buffer.len() >= BUFFER_SIZE => return Err(Missing::Bad),
                Parsed::Partial => {
                    self.more(deadline).await.map_err(Missing::Left)?;
                    visit.begin();
                }
            }
        }
    }

    /// Answers it. Whether another may follow.
    async fn answer(
        &mut self,
        site: &Site,
        request: Request,
        mut visit: Visit,
        deadline: Instant,
    ) -> io::Result<bool> {
        let form = self.body(&request, &mut visit, deadline).await.unwrap_or(Form::Unfinished);
        let stays = request.keeps_alive() && form.is_whole() && Instant::now() < self.over_at;
        let response = respond(site, self.ends, &request, form).await;
        let bytes = response.encode(&request, stays);
        let sent = self.write(&bytes).await;
        let mut outcome = Outcome::answered(response.status, response.by, bytes.len() as u64);
        if let Err(error) = &sent {
            let late = error.kind() == io::ErrorKind::TimedOut;
            let cause = if late { Cause::ClientTimeout } else { Cause::ClientAbort };
            outcome.termination = Termination { cause, stage: Stage::Data };
        }
        visit.log(site, self.ends, outcome);
        sent.map(|()| stays)
    }

    /// What follows the head.
    async fn body(&mut self, request: &Request, visit: &mut Visit, deadline: Instant) -> Result<Form, Cause> {
        if matches!(request.body, Body::Sized(length) if length > BUFFER_SIZE) {
            return Ok(Form::TooLong);
        }
        if request.expects && self.buffer.is_empty() {
            let go_on = self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await;
            go_on.map_err(|_| Cause::ClientAbort)?;
        }
        loop {
            let whole = match request.body {
                Body::Sized(length) => self.buffer.get(..length).map(|body| (body.to_vec(), length)),
                Body::Chunked => unchunked(&self.buffer),
            };
            if let Some((body, length)) = whole {
                self.buffer.drain(..length);
                visit.received += length as u64;
                return Ok(Form::Whole(body));
            }
            if self.buffer.len() > BUFFER_SIZE {
                return Ok(Form::TooLong);
            }
            self.more(deadline).await?;
        }
    }

    async fn refuse(&mut self, site: &Site, mut visit: Visit, missing: Missing) -> io::Result<()> {
        visit.received = self.buffer.len() as u64;
        let (status, cause) = match missing {
            Missing::Left(Cause::ClientTimeout) => (408, Cause::ClientTimeout),
            Missing::Left(cause) => (400, cause),
            Missing::Bad => (400, Cause::Proxy),
        };
        visit.log(site, self.ends, Outcome::refused(status, cause));
        self.write(&refusal(status)).await?;
        self.finish().await
    }

    /// Reads more, or tells why there is no more.
    async fn more(&mut self, deadline: Instant) -> Result<(), Cause> {
        match timeout_at(deadline, self.stream.read_buf(&mut self.buffer)).await {
            Ok(Ok(0) | Err(_)) => Err(Cause::ClientAbort),
            Ok(Ok(_)) => Ok(()),
            Err(_) => Err(Cause::ClientTimeout),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = timeout_at(self.over_at, self.stream.write_all(bytes)).await;
        written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Tells the end and waits for the client's: closing with bytes unread would reset the connection
    /// and could destroy the answer on its way.
    async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let mut rest = [0; 2048];
        let drained = timeout(LINGER, async {
            while self.stream.read(&mut rest).await? > 0 {}
            Ok(())
        });
        drained.await.unwrap_or(Ok(()))
    }
}
