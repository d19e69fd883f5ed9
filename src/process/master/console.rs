//! The master socket (`-S`): its own commands, and those that it passes on to a worker.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::roster::connect;
use super::routing::{Target, Unknown, read, split};
use super::{Event, Shared};
use crate::admin::{Listener, Stream};
use crate::config::model::CliLevel;
use crate::process::version;
use crate::sys::socket::{local_address, unix_path};

/// How long a client may be silent, HAProxy's default for its stats sockets times six: reloads are slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a worker may take to answer: `wait` and `reload` take their time, and one that hangs is not to hold a
/// client's place for ever.
const LONGEST_ANSWER: Duration = Duration::from_secs(3600);
/// The longest line, bytes.
const LONGEST_LINE: u64 = 16_384;
/// Clients at once.
const PLACES: usize = 20;

const HELP: &str = "The following commands are valid at this level:
  @!<pid>                                 : send a command to the <pid> process
  @<relative pid>                         : send a command to the <relative pid> process
  @master                                 : send a command to the master process
  expert-mode [on|off]                    : accepted, of no effect here
  experimental-mode [on|off]              : accepted, of no effect here
  hard-reload                             : reload, and end the former worker at once
  mcli-debug-mode [on|off]                : accepted, of no effect here
  operator                                : lower the level of the current CLI session to operator
  reload                                  : reload the configuration in a new worker
  show cli level                          : display the level of the current CLI session
  show cli sockets                        : dump list of cli sockets
  show env [var]                          : dump environment variables known to the process
  show proc [debug]                       : show processes status
  show startup-logs                       : report logs emitted during the last start
  show version                            : show version of the current process
  user                                    : lower the level of the current CLI session to user
  help [<command>]                        : list matching or all commands
  prompt                                  : toggle interactive mode with prompt
  quit                                    : disconnect
";

/// How the socket is shown by `show cli sockets`.
pub fn shown(socket: &OwnedFd) -> String {
    match (local_address(socket.as_fd()), unix_path(socket.as_fd())) {
        (Some(address), _) => format!("ipv{}@{address}", if address.is_ipv4() { 4 } else { 6 }),
        (None, Some(path)) => {
            // It was renamed into place.
            let name = path.display().to_string();
            let suffix = format!(".{}.tmp", std::process::id());
            format!("unix@{}", name.strip_suffix(&suffix).unwrap_or(&name))
        }
        (None, None) => "abns@".to_owned(),
    }
}

/// Serves the socket on tasks of this thread.
pub fn serve(
    socket: OwnedFd,
    level: CliLevel,
    address: String,
    shared: Shared,
    events: UnboundedSender<Event>,
) -> io::Result<()> {
    let listener = Listener::new(socket)?;
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(PLACES));
    tokio::task::spawn_local(listener.serve(places, move |stream| {
        let client = Client {
            shared: Rc::clone(&shared),
            events: events.clone(),
            address: address.clone(),
            level,
            target: Target::Master,
            prompt: false,
            over: false,
        };
        async move {
            if let Err(error) = client.converse(stream).await {
                tracing::debug!(%error, "master socket");
            }
        }
    }));
    Ok(())
}

struct Client {
    shared: Shared,
    events: UnboundedSender<Event>,
    address: String,
    level: CliLevel,
    /// Where commands without a prefix go.
    target: Target,
    prompt: bool,
    over: bool,
}

impl Client {
    async fn converse(mut self, stream: Stream) -> io::Result<()> {
        let (reading, mut writing) = tokio::io::split(stream);
        let mut lines = BufReader::new(reading);
        loop {
            let Some(line) = next_line(&mut lines).await? else { break };
            let line = with_payload(line, &mut lines).await?;
            let answer = self.answer(&line).await;
            write(&mut writing, &answer).await?;
            if self.over || (!self.prompt && lines.buffer().is_empty()) {
                break;
            }
        }
        timeout(PATIENCE, writing.shutdown()).await?
    }

    async fn answer(&mut self, line: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let (first, payload) =
            line.split_once('\n').map_or((line, None), |(first, rest)| (first, Some(rest)));
        for part in split(first) {
            if self.over {
                break;
            }
            match read(part) {
                Err(Unknown(prefix)) => out.extend_from_slice(unknown(prefix).as_bytes()),
                Ok(command) if command.text.is_empty() && command.target.is_some() => {
                    self.target = command.target.unwrap_or(Target::Master);
                    if !self.prompt {
                        out.push(b'\n');
                    }
                }
                Ok(command) if command.text.is_empty() && self.prompt => {}
                Ok(command) => {
                    let text =
                        payload.map_or(command.text.to_owned(), |rest| format!("{}\n{rest}", command.text));
                    self.execute(command.target.unwrap_or(self.target), &text, &mut out).await;
                }
            }
        }
        if self.prompt && !self.over {
            out.extend_from_slice(self.sign().as_bytes());
        }
        out
    }

    fn sign(&self) -> String {
        match self.worker(self.target) {
            Some((_, pid)) => format!("{pid}> "),
            None => "master> ".to_owned(),
        }
    }

    /// Channel and pid of the worker that is meant.
    fn worker(&self, target: Target) -> Option<(Rc<UnixStream>, i32)> {
        let mut roster = self.shared.borrow_mut();
        let worker = match target {
            Target::Relative(1) => roster.current(),
            Target::Process(pid) => roster.with_pid(pid).map(|worker| &*worker),
            Target::Master | Target::Relative(_) => None,
        };
        worker.map(|worker| (Rc::clone(&worker.channel), worker.pid()))
    }

    async fn execute(&mut self, target: Target, text: &str, out: &mut Vec<u8>) {
        if target == Target::Master {
            let answer = self.own(text).await;
            out.extend_from_slice(answer.as_bytes());
            if !self.over {
                out.push(b'\n');
            }
            return;
        }
        let Some((channel, _)) = self.worker(target) else {
            let prefix = match target {
                Target::Process(pid) => format!("@!{pid}"),
                Target::Relative(number) => format!("@{number}"),
                Target::Master => String::new(),
            };
            return out.extend_from_slice(unknown(&prefix).as_bytes());
        };
        match pass_on(&channel, self.level, text).await {
            Ok(answer) => out.extend_from_slice(&answer),
            Err(error) => {
                out.extend_from_slice(format!("The worker does not answer ({error}).\n\n").as_bytes())
            }
        }
    }

    async fn own(&mut self, text: &str) -> String {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["quit"] => self.over = true,
            ["prompt", ..] => self.prompt = words.get(1) != Some(&"n") && (words.len() > 1 || !self.prompt),
            ["user"] => self.level = CliLevel::User,
            ["operator"] => self.level = self.level.min(CliLevel::Operator),
            ["expert-mode" | "experimental-mode" | "mcli-debug-mode", ..] => {}
            ["help", ..] => return HELP.to_owned(),
            ["show", "version"] => return format!("{}\n", version::VERSION),
            ["show", "proc", ..] => return self.shared.borrow().table(),
            ["show", "startup-logs", ..] => return self.shared.borrow().log.clone(),
            ["show", "cli", "level"] => return format!("{}\n", self.level_name()),
            ["show", "cli", "sockets"] => {
                return format!("# socket lvl processes\n{} {} master\n", self.address, self.level_name());
            }
            ["show", "env", ..] if self.level >= CliLevel::Operator => {
                return environment(words.get(2).copied());
            }
            ["reload"] | ["hard-reload"] | ["show", "env", ..] if self.level < CliLevel::Admin => {
                return "Permission denied\n".to_owned();
            }
            ["reload"] => return self.reload(false).await,
            ["hard-reload"] => return self.reload(true).await,
            _ => return format!("Unknown command: '{}'. {HELP}", words.join(" ")),
        }
        String::new()
    }

    fn level_name(&self) -> &'static str {
        match self.level {
            CliLevel::Admin => "admin",
            CliLevel::Operator => "operator",
            CliLevel::User => "user",
        }
    }

    /// Answers when the new worker runs, or cannot; the connection ends behind it, as in HAProxy.
    async fn reload(&mut self, hard: bool) -> String {
        self.over = true;
        let (answer, outcome) = oneshot::channel();
        // An event that cannot be sent is dropped, and the way back with it.
        let _ = self.events.send(Event::Reload(hard, answer));
        match outcome.await {
            Ok(outcome) => format!("Success={}\n--\n{}\n", u8::from(outcome.succeeded), outcome.log),
            Err(_) => "Success=0\n--\nThe master has stopped.\n".to_owned(),
        }
    }
}

fn unknown(prefix: &str) -> String {
    format!("Can't find the target PID matching the prefix '{prefix}'\n")
}

fn environment(wanted: Option<&str>) -> String {
    let pairs = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    let wanted = |name: &str| wanted.is_none_or(|wanted| wanted == name);
    pairs.filter(|(name, _)| wanted(name)).map(|(name, value)| format!("{name}={value}\n")).collect()
}

/// One line without its end; None: the client says no more.
async fn next_line<R: AsyncRead + Unpin>(lines: &mut BufReader<R>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut limited = lines.take(LONGEST_LINE);
    let length = timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await??;
    let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
    Ok((length > 0).then_some(text))
}

/// `command <<` or `command <<END`: with the lines up to an empty one, or up to END.
async fn with_payload<R: AsyncRead + Unpin>(line: String, lines: &mut BufReader<R>) -> io::Result<String> {
    let Some(end) = line.rsplit(' ').next().and_then(|word| word.strip_prefix("<<")) else { return Ok(line) };
    let end = end.to_owned();
    let mut whole = line;
    while whole.len() < LONGEST_LINE as usize * 8 {
        let Some(next) = next_line(lines).await? else { break };
        whole.push('\n');
        whole.push_str(&next);
        if next == end {
            break;
        }
    }
    Ok(whole)
}

async fn pass_on(channel: &UnixStream, level: CliLevel, text: &str) -> io::Result<Vec<u8>> {
    let connection = std::os::unix::net::UnixStream::from(connect(channel, level).await?);
    connection.set_nonblocking(true)?;
    let mut stream = UnixStream::from_std(connection)?;
    let mut answer = Vec::new();
    let talk = async {
        stream.write_all(format!("{text}\n").as_bytes()).await?;
        stream.shutdown().await?;
        stream.read_to_end(&mut answer).await
    };
    timeout(LONGEST_ANSWER, talk).await??;
    Ok(answer)
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    timeout(PATIENCE, stream.write_all(bytes)).await?
}
