//! `pronk demo`: stand-ins, the gateway in front of them, a few queries, and who answered.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::coordinator::{Cluster, lock};
use super::options::{self, DemoOptions, USAGE};
use super::queries::{Answer, Sender};
use super::screen::{Screen, aligned};
use super::standin::{Options, StandIn};

const COORDINATORS: usize = 3;
/// The gateway accepts within this after its start, or something is wrong.
const GATEWAY_READY: Duration = Duration::from_secs(15);

/// From a connection that the ending gateway closed to its end.
const STOPPING: Duration = Duration::from_secs(1);

/// Runs the demonstration with the arguments after `demo`.
///
/// `gateway` runs a proxy with the haproxy.cfg it is given until SIGINT or SIGTERM, and then returns. The
/// demonstration sends itself SIGTERM when it ends of its own accord.
pub fn run(arguments: Vec<OsString>, gateway: impl FnOnce(&str) -> ExitCode) -> ExitCode {
    let screen = Screen::of_stdout();
    let options = match options::parse(arguments) {
        Ok(Some(options)) => options,
        Ok(None) => {
            screen.line(USAGE.trim_end());
            return ExitCode::SUCCESS;
        }
        Err(mistake) => return refuse(&mistake),
    };
    match Demo::prepare(options, screen) {
        Ok(demo) => demo.present(gateway),
        Err(mistake) => refuse(&mistake),
    }
}

fn refuse(text: &str) -> ExitCode {
    eprintln!("pronk demo: {text}");
    ExitCode::FAILURE
}

/// Everything but the gateway.
struct Demo {
    options: DemoOptions,
    screen: Screen,
    sender: Sender,
    coordinators: Vec<StandIn>,
    beeswax: SocketAddr,
    hs2: SocketAddr,
}

/// What the client thread and the main thread tell each other.
#[derive(Default)]
struct Progress {
    gateway_ended: Mutex<bool>,
    changed: Condvar,
    failed: AtomicBool,
}

impl Demo {
    fn prepare(options: DemoOptions, screen: Screen) -> Result<Demo, String> {
        let sender = Sender::choose(options.client)?;
        // Both are held until the stand-ins have theirs: the kernel gives no port twice.
        let (beeswax, _held) = free_address("--port-beeswax", options.beeswax_port)?;
        let (hs2, _held_too) = free_address("--port-hs2", options.hs2_port)?;
        let cluster = Cluster::default();
        let start = |number: usize| {
            let options = Options { cluster: cluster.clone(), ..Options::default() };
            StandIn::start(&format!("coord{number}"), options)
                .map_err(|error| format!("cannot start stand-in coordinator {number}: {error}"))
        };
        let coordinators = (1..=COORDINATORS).map(start).collect::<Result<_, _>>()?;
        Ok(Demo { options, screen, sender, coordinators, beeswax, hs2 })
    }

    fn present(self, gateway: impl FnOnce(&str) -> ExitCode) -> ExitCode {
        self.introduce();
        let configuration = self.configuration();
        let demo = Arc::new(self);
        let progress = Arc::new(Progress::default());
        let (client, shared) = (Arc::clone(&demo), Arc::clone(&progress));
        let queries = thread::Builder::new().name("demo".to_owned()).spawn(move || client.query_all(&shared));
        let status = match &queries {
            Ok(_) => gateway(&configuration),
            Err(error) => refuse(&format!("cannot start a thread: {error}")),
        };
        progress.end();
        if let Ok(thread) = queries {
            // A panic was printed by the panic hook.
            let _ = thread.join();
        }
        demo.conclude();
        if progress.failed.load(Ordering::Relaxed) { ExitCode::FAILURE } else { status }
    }

    fn introduce(&self) {
        let screen = self.screen;
        screen.heading("Three stand-in coordinators behind the gateway, all in this process");
        screen.line("");
        let row = |cells: [&str; 4]| cells.map(str::to_owned);
        let mut rows = vec![row(["coordinator", "Beeswax", "HiveServer2", "web page"])];
        for standin in &self.coordinators {
            let web = format!("http://{}", standin.web());
            rows.push(row([
                standin.name(),
                &standin.beeswax().to_string(),
                &standin.hs2().to_string(),
                &web,
            ]));
        }
        let (beeswax, hs2) = (self.beeswax.to_string(), self.hs2.to_string());
        rows.push(row(["gateway", &beeswax, &hs2, ""]));
        aligned(&rows).iter().for_each(|line| screen.line(line));
        screen.line("");
        screen.heading("Connect to it");
        screen.line("");
        screen.line(&format!("  impala-shell -i {hs2} -q 'select coordinator()'"));
        screen.line(&format!("  impala-shell -i {beeswax} --protocol=beeswax -q 'select pid()'"));
        screen.line("");
    }

    /// haproxy.cfg of the gateway.
    fn configuration(&self) -> String {
        let log = match &self.options.log {
            Some(file) => format!("    log {} local0\n    option tcplog\n", word_of_file(file)),
            None => String::new(),
        };
        let section = |name: &str, bind: SocketAddr, address: fn(&StandIn) -> SocketAddr| {
            let server = |standin: &StandIn| {
                format!("    server {} {} check inter 1s\n", standin.name(), address(standin))
            };
            let servers: String = self.coordinators.iter().map(server).collect();
            format!("\nlisten {name}\n    bind {bind}\n    balance roundrobin\n{servers}")
        };
        let beeswax = section("beeswax", self.beeswax, StandIn::beeswax);
        let hs2 = section("hs2", self.hs2, StandIn::hs2);
        format!(
            "global\n    maxconn 500\n\ndefaults\n    mode tcp\n    option connect-on-data\n    option dontlognull\n    \
             option redispatch\n    retries 3\n    timeout connect 5s\n    timeout client 1h\n    \
             timeout server 1h\n{log}{beeswax}{hs2}"
        )
    }

    /// On a thread of its own, beside the gateway.
    fn query_all(&self, progress: &Progress) {
        match self.wait_for_gateway(progress) {
            Some(true) => self.show_queries(progress),
            Some(false) => {
                progress.fail(&format!("the gateway does not accept at {} within 15 s", self.hs2));
            }
            None => return,
        }
        if progress.ended_within(Duration::ZERO) {
            return;
        }
        let failed = progress.failed.load(Ordering::Relaxed);
        match self.options.lasting {
            None if !failed => self.screen.line(&self.screen.faint("Running until Ctrl-C.")),
            lasting => {
                if !progress.ended_within(lasting.unwrap_or_default()) {
                    end_this_process();
                }
            }
        }
    }

    /// None: the gateway has ended already, and has said why.
    fn wait_for_gateway(&self, progress: &Progress) -> Option<bool> {
        let deadline = Instant::now() + GATEWAY_READY;
        loop {
            if TcpStream::connect_timeout(&self.hs2, Duration::from_secs(1)).is_ok() {
                return Some(true);
            }
            if Instant::now() >= deadline {
                return Some(false);
            }
            if progress.ended_within(Duration::from_millis(20)) {
                return None;
            }
        }
    }

    fn show_queries(&self, progress: &Progress) {
        let screen = self.screen;
        screen.heading(&format!("{} queries through it, by {}", self.options.queries, self.sender.name()));
        screen.line("");
        screen.line(&screen.faint(&format!("  {:<22}{:<14}{:>9}", "query", "coordinator", "time")));
        let mut answers = Vec::new();
        for number in 0..self.options.queries {
            if progress.ended_within(Duration::ZERO) {
                return;
            }
            match self.sender.query(number, self.hs2) {
                Ok(answer) => {
                    self.show(&answer);
                    answers.push(answer);
                }
                // When the gateway was stopped meanwhile, that is why.
                Err(_) if progress.ended_within(STOPPING) => return,
                Err(error) => return progress.fail(&error),
            }
        }
        self.show_distribution(&answers);
    }

    fn show(&self, answer: &Answer) {
        let name = format!("{:<14}", answer.coordinator);
        let name = self.screen.coordinator(self.number_of(&answer.coordinator), &name);
        let ms = answer.time.as_secs_f64() * 1e3;
        self.screen.line(&format!("  {:<22}{name}{ms:>6.1} ms", answer.statement));
    }

    fn number_of(&self, name: &str) -> usize {
        self.coordinators.iter().position(|standin| standin.name() == name).unwrap_or(0)
    }

    fn show_distribution(&self, answers: &[Answer]) {
        let screen = self.screen;
        screen.line("");
        screen.heading("Queries by coordinator");
        screen.line("");
        for (number, standin) in self.coordinators.iter().enumerate() {
            let count = answers.iter().filter(|answer| answer.coordinator == standin.name()).count();
            let bar = screen.coordinator(number, &"#".repeat(count.min(60)));
            screen.line(&format!("  {:<10}{count:>6}  {bar}", standin.name()));
        }
        screen.line("");
    }

    fn conclude(&self) {
        let total = |standin: &StandIn| format!("{} {}", standin.name(), standin.queries());
        let totals: Vec<String> = self.coordinators.iter().map(total).collect();
        self.screen.line(&format!("Ended. Statements run: {}.", totals.join(", ")));
    }
}

impl Progress {
    fn end(&self) {
        *lock(&self.gateway_ended) = true;
        self.changed.notify_all();
    }

    fn ended_within(&self, time: Duration) -> bool {
        let running = |ended: &mut bool| !*ended;
        let waited = self.changed.wait_timeout_while(lock(&self.gateway_ended), time, running);
        waited.map_or(true, |(ended, _)| *ended)
    }

    fn fail(&self, text: &str) {
        eprintln!("pronk demo: {text}");
        self.failed.store(true, Ordering::Relaxed);
    }
}

/// A log target in one word of haproxy.cfg, whatever is in the name of the file.
fn word_of_file(file: &Path) -> String {
    format!("'file@{}'", file.display().to_string().replace('\'', r"'\''"))
}

/// 127.0.0.1 and this port, or a free one for 0. The error names the option.
fn free_address(option: &str, port: u16) -> Result<(SocketAddr, TcpListener), String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address).map_err(|error| {
        format!(
            "port {port} cannot be had: {error}\n  choose another with {option} PORT, or 0 for a free one"
        )
    })?;
    let address = listener.local_addr().map_err(|error| format!("{option}: {error}"))?;
    Ok((address, listener))
}

/// As an operator's `kill`: the gateway returns. The demonstration's own sessions are closed by now.
fn end_this_process() {
    let own = rustix::process::getpid();
    if let Err(error) = rustix::process::kill_process(own, rustix::process::Signal::TERM) {
        eprintln!("pronk demo: cannot end the gateway: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_refused_by_the_option_that_changes_it() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = free_address("--port-hs2", port).unwrap_err();
        assert!(error.contains("--port-hs2 PORT") && error.contains(&port.to_string()), "{error}");
        assert_ne!(free_address("--port-hs2", 0).unwrap().0.port(), 0);
    }

    #[test]
    fn the_name_of_the_log_stays_one_word() {
        let file = Path::new(r#"/tmp/it's a "$log" \#1.log"#);
        let options = DemoOptions {
            beeswax_port: 0,
            hs2_port: 0,
            log: Some(file.to_path_buf()),
            ..DemoOptions::default()
        };
        let text = Demo::prepare(options, Screen::of_stdout()).unwrap().configuration();
        let line = text.lines().find(|line| line.contains("log ")).unwrap();
        assert!(text.contains(r#"log 'file@/tmp/it'\''s a "$log" \#1.log' local0"#), "{line}");
    }

    #[test]
    fn the_gateway_is_given_both_protocols_and_all_coordinators() {
        let options = DemoOptions { beeswax_port: 0, hs2_port: 0, ..DemoOptions::default() };
        let demo = Demo::prepare(options, Screen::of_stdout()).unwrap();
        let text = demo.configuration();
        for standin in &demo.coordinators {
            let line = |address: SocketAddr| format!("server {} {address} check", standin.name());
            assert!(text.contains(&line(standin.hs2())) && text.contains(&line(standin.beeswax())), "{text}");
        }
        assert!(text.contains(&format!("bind {}", demo.hs2)) && text.contains("option connect-on-data"));
    }
}
