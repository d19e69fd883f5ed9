//! The stats socket: the dialogue of [`Console`] over a connection, with deadlines.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::Powers;
use super::console::Console;
use super::dialogue::{Dialogue, LONGEST_LINE, Next};
use super::handover::{self, Taker};
use super::listener::{Listener, Peer, Stream};
use super::upgrade::{self, Foreman, giver};
use crate::config::model::CliLevel;

/// How long a client that was answered may take to close its side.
const LINGER: Duration = Duration::from_secs(1);

/// How often is looked whether a client that waits for its answer is still there.
const LOOK: Duration = Duration::from_millis(250);

/// What the clients of a stats socket may do.
#[derive(Clone, Debug)]
pub struct Rights {
    /// `level`.
    pub level: CliLevel,
    /// `expose-fd listeners`: the sockets that a successor may take over.
    pub sockets: Option<handover::Shared>,
}

/// What is given over the connection itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Listening sockets.
    Sockets(Taker),
    /// Sessions.
    Sessions,
}

/// Serves one stats socket until the task is aborted. `clients` counts whom it has served.
pub async fn serve(
    listener: Listener,
    rights: Rights,
    powers: Powers,
    places: Arc<Semaphore>,
    clients: Rc<Cell<u64>>,
) {
    listener
        .serve(places, |stream| {
            clients.set(clients.get() + 1);
            client(stream, rights.clone(), Console::new(powers.clone(), rights.level))
        })
        .await;
}

/// Serves one connected Unix socket.
pub async fn serve_connection(connection: OwnedFd, rights: Rights, powers: Powers) {
    let stream = std::os::unix::net::UnixStream::from(connection);
    let stream = stream.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(stream));
    match stream {
        Ok(stream) => {
            let console = Console::new(powers, rights.level).awaited();
            client(Stream::Unix(stream), rights, console).await;
        }
        Err(error) => tracing::debug!(%error, "connection from the master"),
    }
}

async fn client(mut stream: Stream, rights: Rights, mut console: Console) {
    let talked = match converse(&mut stream, &mut console).await {
        Ok(Some(Wanted::Sockets(taker))) => give(stream, rights.sockets, taker).await,
        Ok(Some(Wanted::Sessions)) => give_sessions(stream, rights.sockets, console.powers()),
        other => other.map(drop),
    };
    if let Err(error) = talked {
        tracing::debug!(%error, "stats socket");
    }
}

/// `_getsocks`, on a thread of its own. Who may not have the sockets, or has connected over TCP, gets nothing.
async fn give(stream: Stream, sockets: Option<handover::Shared>, taker: Taker) -> io::Result<()> {
    let (Some(sockets), Stream::Unix(stream)) = (sockets, stream) else { return Ok(()) };
    let held = sockets.borrow_mut().give_to(taker, peer(&stream));
    let stream = stream.into_std()?;
    let given = tokio::task::spawn_blocking(move || handover::give(stream.as_fd(), &held));
    given.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// The sessions, on a thread that ends with the process. Who may not have the listening sockets may not have
/// them either.
fn give_sessions(stream: Stream, sockets: Option<handover::Shared>, powers: &Powers) -> io::Result<()> {
    let (Some(_), Stream::Unix(stream)) = (sockets, stream) else { return Ok(()) };
    if u32::try_from(peer(&stream)) == Ok(std::process::id()) {
        // The process that it meant to ask has ended, and left it this socket's queue.
        return Ok(());
    }
    let shared = powers.shared.borrow();
    if !shared.config.global.session_hand_over {
        return Ok(());
    }
    let (stream, crew, table) = (stream.into_std()?, powers.crew.clone(), Arc::clone(&shared.table));
    let giving = move || {
        let given = Foreman::new(crew).and_then(|foreman| giver::give(&stream, &foreman, &table));
        if let Err(error) = given {
            tracing::warn!(%error, "the successor did not take all sessions: the others go on here");
        }
    };
    thread::Builder::new().name("upgrade".to_owned()).spawn(giving).map(drop)
}

/// The process at the other end.
fn peer(stream: &tokio::net::UnixStream) -> i32 {
    stream.peer_cred().ok().and_then(|peer| peer.pid()).unwrap_or(0)
}

/// One client from its first byte to the end, or to the point where it asks for the listening sockets. A
/// half-closed client still gets every answer.
async fn converse(stream: &mut impl Peer, console: &mut Console) -> io::Result<Option<Wanted>> {
    let mut dialogue = Dialogue::default();
    let mut buffer = [0; 2048];
    loop {
        match dialogue.advance() {
            Next::Line(line) => {
                if let Some(taker) = handover::asked(&line.text) {
                    return Ok(Some(Wanted::Sockets(taker)));
                }
                if line.text == upgrade::COMMAND {
                    return Ok(Some(Wanted::Sessions));
                }
                console.hear(&line);
                while let Some(answer) = follow(stream, console).await {
                    write(stream, answer.as_bytes(), console.patience()).await?;
                    // Others are served between the commands of one line.
                    yield_now().await;
                }
                if console.is_over() || (console.is_one_shot() && !dialogue.has_line()) {
                    break;
                }
            }
            Next::Continued => {
                write(stream, console.continuation().as_bytes(), console.patience()).await?;
            }
            Next::More => {
                let read = within(console.silence(), stream.read(&mut buffer)).await?;
                dialogue.receive(&buffer[..read]);
            }
            Next::End => break,
            Next::TooLong => {
                let text = format!("A command line may be {LONGEST_LINE} bytes long at most.\n\n");
                write(stream, text.as_bytes(), console.patience()).await?;
                break;
            }
        }
    }
    finish(stream).await.map(|()| None)
}

/// The answer to the next command. One that takes its time ends early when nobody waits for it any more.
async fn follow(stream: &impl Peer, console: &mut Console) -> Option<String> {
    let deserted = console.desertion();
    let mut answer = pin!(console.follow());
    loop {
        match timeout(LOOK, &mut answer).await {
            Ok(answer) => return answer,
            Err(_) => deserted.set(stream.has_left()),
        }
    }
}

/// Tells the end and waits for the client's: closing with bytes unread would reset the connection
/// and could destroy the answer on its way.
async fn finish<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    stream.shutdown().await?;
    let mut buffer = [0; 2048];
    let drained = timeout(LINGER, async {
        while stream.read(&mut buffer).await? > 0 {}
        Ok(())
    });
    drained.await.unwrap_or(Ok(()))
}

/// Writes everything; each step of it must make progress within `patience`.
async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    mut bytes: &[u8],
    patience: Duration,
) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = within(patience, stream.write(bytes)).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
    }
    Ok(())
}

async fn within<T>(patience: Duration, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(patience, step).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::fixture::{console, local};

    impl Peer for tokio::io::DuplexStream {
        fn has_left(&self) -> bool {
            false
        }
    }

    /// A client that gives up after `ms`.
    fn impatient(ms: u64) -> Console {
        let mut console = console(CliLevel::Admin);
        console.set_patience(Duration::from_millis(ms));
        console
    }

    /// Sends `input`, ends the sending side, and returns what came back.
    fn talk(input: &'static [u8]) -> (io::Result<Option<Wanted>>, Vec<u8>) {
        local(async move {
            let (mut client, mut server) = tokio::io::duplex(64);
            let mut console = console(CliLevel::Admin);
            let served = tokio::task::spawn_local(async move { converse(&mut server, &mut console).await });
            let mut answer = Vec::new();
            client.write_all(input).await.expect("written");
            client.shutdown().await.expect("half-closed");
            timeout(Duration::from_secs(10), client.read_to_end(&mut answer))
                .await
                .expect("in time")
                .expect("read");
            (served.await.expect("the task"), answer)
        })
    }

    #[test]
    fn a_half_closed_client_gets_the_whole_answer() {
        let (result, answer) = talk(b"show stat\n");
        assert!(result.is_ok());
        assert!(answer.len() > 1000 && answer.ends_with(b"\n\n"));
    }

    /// A successor reads its configuration before it speaks; behind its first line it is a client as others.
    #[test]
    fn who_is_awaited_is_given_up_only_behind_its_first_line() {
        local(async {
            let (mut client, mut server) = tokio::io::duplex(64);
            let mut console = impatient(20).awaited();
            let served = tokio::task::spawn_local(async move { converse(&mut server, &mut console).await });
            tokio::time::sleep(Duration::from_millis(200)).await;
            client.write_all(b"prompt\n").await.expect("it is still there");
            let mut answer = Vec::new();
            let end = timeout(Duration::from_secs(10), client.read_to_end(&mut answer)).await;
            end.expect("in time").expect("read");
            assert_eq!(answer, b"\n> ");
            let given_up = served.await.expect("the task").expect_err("it was silent");
            assert_eq!(given_up.kind(), io::ErrorKind::TimedOut);
        });
    }

    #[test]
    fn lines_sent_at_once_are_all_answered() {
        let (_, answer) = talk(b"show cli level\nshow cli level\n");
        assert_eq!(answer, b"admin\n\nadmin\n\n");
        let (_, answer) = talk(b"prompt\nshow cli level\nquit\nshow cli level\n");
        assert_eq!(answer, b"\n> admin\n\n> ");
    }

    #[test]
    fn a_payload_is_asked_for_line_by_line() {
        let (_, answer) = talk(b"prompt\nadd map #0 <<\na b\n\nquit\n");
        let answer = String::from_utf8(answer).expect("text");
        assert!(answer.starts_with("\n> + + Unknown map identifier."), "{answer}");
    }

    #[test]
    fn a_client_that_does_not_read_is_given_up() {
        let result = local(async {
            let (mut client, mut server) = tokio::io::duplex(64);
            client.write_all(b"show info\n").await.expect("written");
            converse(&mut server, &mut impatient(20)).await
        });
        assert_eq!(result.expect_err("given up").kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_silent_client_is_given_up() {
        let result = local(async {
            let (_client, mut server) = tokio::io::duplex(64);
            converse(&mut server, &mut impatient(20)).await
        });
        assert_eq!(result.expect_err("given up").kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn nobody_takes_sessions_from_itself() {
        let end = local(async {
            let console = console(CliLevel::Admin);
            let (mut asking, asked) = tokio::net::UnixStream::pair().expect("a pair");
            let sockets = Some(handover::Shared::default());
            give_sessions(Stream::Unix(asked), sockets, console.powers()).expect("refused");
            timeout(Duration::from_secs(10), asking.read(&mut [0])).await.expect("in time")
        });
        assert_eq!(end.expect("the end, and nothing before it"), 0);
    }
}
