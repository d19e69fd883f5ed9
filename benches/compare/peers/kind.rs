//! Which proxies there are, and in which settings.

use super::haproxy::{PIPE_SIZE, Splicing};

/// Where a proxy's line for each session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logging {
    /// Datagrams of syslog, which the load reads and counts.
    Syslog,
    /// It knows no syslog.
    File,
    Nowhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pronk,
    HaproxyCopy,
    HaproxyAuto,
    HaproxySplice,
    HaproxyPipes,
    Nginx,
    Sozu,
    Envoy,
    /// Another build of Pronk.
    PronkOther,
    /// Two workers.
    PronkTwo,
    /// While its table changes and its statistics are read.
    PronkStirred,
    /// With a busy spin.
    PronkSpin,
}

impl Kind {
    /// All that can be asked for.
    pub const ALL: [Kind; 12] = [
        Kind::Pronk,
        Kind::HaproxyCopy,
        Kind::HaproxyAuto,
        Kind::HaproxySplice,
        Kind::HaproxyPipes,
        Kind::Nginx,
        Kind::Sozu,
        Kind::Envoy,
        Kind::PronkOther,
        Kind::PronkTwo,
        Kind::PronkStirred,
        Kind::PronkSpin,
    ];

    /// All that are compared by default: no other builds and settings of Pronk.
    pub fn usual() -> Vec<Kind> {
        Kind::ALL.into_iter().filter(|kind| !kind.name().starts_with("pronk-")).collect()
    }

    /// Its column in tables, and its name in options.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Pronk => "pronk",
            Kind::HaproxyCopy => "haproxy-copy",
            Kind::HaproxyAuto => "haproxy-auto",
            Kind::HaproxySplice => "haproxy-splice",
            Kind::HaproxyPipes => "haproxy-pipes",
            Kind::Nginx => "nginx",
            Kind::Sozu => "sozu",
            Kind::Envoy => "envoy",
            Kind::PronkOther => "pronk-other",
            Kind::PronkTwo => "pronk-two",
            Kind::PronkStirred => "pronk-stirred",
            Kind::PronkSpin => "pronk-spin",
        }
    }

    /// Its program's name on the PATH.
    pub fn program(self) -> &'static str {
        match self {
            Kind::Pronk | Kind::PronkOther | Kind::PronkTwo | Kind::PronkStirred | Kind::PronkSpin => "pronk",
            Kind::HaproxyCopy | Kind::HaproxyAuto | Kind::HaproxySplice | Kind::HaproxyPipes => "haproxy",
            Kind::Nginx => "nginx",
            Kind::Sozu => "sozu",
            Kind::Envoy => "envoy",
        }
    }

    /// What the mode adds to haproxy.cfg.
    pub fn splicing(self) -> Splicing {
        match self {
            Kind::HaproxyAuto => Splicing::Auto,
            Kind::HaproxySplice => Splicing::Always,
            Kind::HaproxyPipes => Splicing::Wide,
            _ => Splicing::Never,
        }
    }

    /// What becomes of `--logs`.
    pub fn logging(self) -> Logging {
        match self {
            Kind::Envoy => Logging::File,
            Kind::Sozu => Logging::Nowhere,
            _ => Logging::Syslog,
        }
    }

    /// Whether `--checks` makes it check its servers: nginx's stream module cannot, and Sōzu is not told to.
    pub fn can_check(self) -> bool {
        !matches!(self, Kind::Nginx | Kind::Sozu)
    }

    /// The mode, and what it leaves out of `--logs` and `--checks` where these are asked for.
    pub fn mode(self, logs: bool, checks: bool) -> String {
        let logging = match self.logging() {
            Logging::Syslog => None,
            Logging::File => Some("its log lines go to a file, in blocks"),
            Logging::Nowhere => Some("no log lines"),
        };
        let checking = (!self.can_check()).then_some("no checks");
        let without = [logging.filter(|_| logs), checking.filter(|_| checks)];
        let way = self.way();
        std::iter::once(way.as_str()).chain(without.into_iter().flatten()).collect::<Vec<_>>().join(", ")
    }

    /// How it moves bytes, in a few words.
    fn way(self) -> String {
        let pipes = format!("pipes of {} KiB", PIPE_SIZE >> 10);
        let narrow = "pipes of 64 KiB, its default";
        match self {
            Kind::Pronk => format!("chooses itself how bytes move, {pipes}"),
            Kind::HaproxyCopy => "no splice option".to_owned(),
            Kind::HaproxyAuto => format!("option splice-auto, {narrow}"),
            Kind::HaproxySplice => format!("option splice-request and splice-response, {narrow}"),
            Kind::HaproxyPipes => format!("the same with tune.pipesize, {pipes}"),
            Kind::Nginx => "stream module, proxy_buffer_size 16k, its default".to_owned(),
            Kind::Sozu => "one worker".to_owned(),
            Kind::Envoy => "tcp_proxy, one worker".to_owned(),
            Kind::PronkOther => format!("the build given by --other, {pipes}"),
            Kind::PronkTwo => "two workers, on one core where only two are allowed".to_owned(),
            Kind::PronkStirred => "table changed and statistics read every 10 ms".to_owned(),
            Kind::PronkSpin => "tune.busy-spin 200".to_owned(),
        }
    }
}
