//! Which proxies there are, and in which settings.

use super::haproxy::Splicing;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pronk,
    HaproxyCopy,
    HaproxyAuto,
    HaproxySplice,
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
    pub const ALL: [Kind; 11] = [
        Kind::Pronk,
        Kind::HaproxyCopy,
        Kind::HaproxyAuto,
        Kind::HaproxySplice,
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
            Kind::HaproxyCopy | Kind::HaproxyAuto | Kind::HaproxySplice => "haproxy",
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
            _ => Splicing::Never,
        }
    }

    /// The mode, in a few words for the environment's listing.
    pub fn mode(self) -> &'static str {
        match self {
            Kind::Pronk => "chooses itself how bytes move",
            Kind::HaproxyCopy => "no splice option",
            Kind::HaproxyAuto => "option splice-auto",
            Kind::HaproxySplice => "option splice-request and splice-response",
            Kind::Nginx => "stream module",
            Kind::Sozu => "one worker",
            Kind::Envoy => "tcp_proxy, one worker",
            Kind::PronkOther => "the build given by --other",
            Kind::PronkTwo => "two workers, on one core where only two are allowed",
            Kind::PronkStirred => "table changed and statistics read every 10 ms",
            Kind::PronkSpin => "tune.busy-spin 200",
        }
    }
}
