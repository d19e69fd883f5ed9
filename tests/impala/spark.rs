//! Real HiveServer2 servers: Spark's Thrift Server from the wheel of pyspark, each with a name.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::clients::{Clients, spark_jars};
use crate::support::child::{self, Killed};
use crate::support::wait_for;

/// What Spark needs of a Java newer than 8.
const OPENED: &[&str] = &[
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "sun.nio.ch",
    "sun.nio.cs",
    "sun.security.action",
    "sun.util.calendar",
];

/// Three servers at once take ten seconds to start on two idle cores; a busy machine needs minutes.
const START: Duration = Duration::from_secs(400);

/// One server; killed with its guard.
pub struct Spark {
    pub name: String,
    pub port: u16,
    child: Killed,
    directory: TempDir,
}

impl Spark {
    /// `count` servers named coord1, coord2 …, each having answered a first query.
    pub fn cluster(count: usize) -> Vec<Spark> {
        let servers: Vec<Spark> =
            (1..=count).map(|k| Spark::spawn(format!("coord{k}"), free_port())).collect();
        warm(&servers.iter().collect::<Vec<_>>());
        servers
    }

    /// A server under the name and port of one that was stopped.
    pub fn again(stopped: &Spark) -> Spark {
        let server = Spark::spawn(stopped.name.clone(), stopped.port);
        server.await_listening();
        server
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.child.0.kill().expect("a running server");
        self.child.0.wait().expect("a child");
    }

    /// Asks it to end, and waits for it.
    pub fn stop(&mut self) {
        let status = Command::new("kill").arg(self.child.0.id().to_string()).status().expect("kill runs");
        assert!(status.success(), "{} runs", self.name);
        let ended = wait_for(Duration::from_secs(30), || self.child.0.try_wait().expect("a child"));
        assert!(ended.is_some(), "{} ends when asked", self.name);
    }

    fn spawn(name: String, port: u16) -> Spark {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join("log4j2.properties"), LOGGING).expect("written");
        let log = fs::File::create(directory.path().join("log")).expect("a log file");
        let child = command(&name, port, directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("setpriv (util-linux) runs");
        Spark { name, port, child: Killed(child), directory }
    }

    fn await_listening(&self) {
        let listening = || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
        if wait_for(START, listening).is_none() {
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            panic!("{} does not listen; is there a Java 17?\n{log}", self.name);
        }
    }
}

/// The first session of a server builds its metastore, for seconds: let that be over.
pub fn warm(servers: &[&Spark]) {
    let mut clients: Vec<(Clients, &Spark)> = servers
        .iter()
        .map(|server| {
            server.await_listening();
            let mut clients = Clients::start();
            clients.tell(&format!("impyla {}", server.port));
            (clients, *server)
        })
        .collect();
    for (clients, server) in &mut clients {
        assert_eq!(clients.hear().as_deref(), Some(&*server.name), "{} answers", server.name);
    }
}

const LOGGING: &str = "rootLogger.level = warn
rootLogger.appenderRef.c.ref = c
appender.c.type = Console
appender.c.name = c
appender.c.layout.type = PatternLayout
appender.c.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n%ex
";

fn command(name: &str, port: u16, directory: &Path) -> Command {
    let place = |inner: &str| directory.join(inner).display().to_string();
    fs::create_dir_all(directory.join("tmp")).expect("a directory");
    let mut command = child::command("java");
    command.current_dir(directory).args(["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC"]);
    command.args(OPENED.iter().map(|package| format!("--add-opens=java.base/{package}=ALL-UNNAMED")));
    command.args(["-cp", &format!("{}/*", spark_jars().display())]);
    let settings = [
        ("java.io.tmpdir", place("tmp")),
        ("derby.stream.error.file", place("tmp/derby.log")),
        ("log4j2.configurationFile", place("log4j2.properties")),
        ("spark.coord.name", name.to_owned()),
        ("spark.app.name", name.to_owned()),
        ("spark.master", "local[1]".to_owned()),
        ("spark.ui.enabled", "false".to_owned()),
        ("spark.driver.bindAddress", "127.0.0.1".to_owned()),
        ("spark.driver.host", "127.0.0.1".to_owned()),
        ("spark.local.dir", place("tmp")),
        ("spark.sql.catalogImplementation", "in-memory".to_owned()),
        ("spark.sql.warehouse.dir", place("warehouse")),
        ("spark.sql.shuffle.partitions", "1".to_owned()),
        // Asynchronous execution answers with a made-up schema until the query runs.
        ("spark.sql.hive.thriftServer.async", "false".to_owned()),
    ];
    command.args(settings.map(|(key, value)| format!("-D{key}={value}")));
    command.arg("org.apache.spark.sql.hive.thriftserver.HiveThriftServer2");
    let hive = [
        ("hive.server2.transport.mode", "binary".to_owned()),
        ("hive.server2.thrift.bind.host", "127.0.0.1".to_owned()),
        ("hive.server2.thrift.port", port.to_string()),
        ("hive.server2.authentication", "NONE".to_owned()),
        ("hive.server2.logging.operation.log.location", place("tmp/operations")),
        ("hive.exec.scratchdir", place("tmp/scratch")),
        ("hive.exec.local.scratchdir", place("tmp/local")),
        ("hive.downloaded.resources.dir", place("tmp/resources")),
    ];
    for (key, value) in hive {
        command.arg("--hiveconf").arg(format!("{key}={value}"));
    }
    command
}

/// Java binds without SO_REUSEPORT, so the port cannot be held for it.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|free| free.local_addr())
        .expect("a free port")
        .port()
}
