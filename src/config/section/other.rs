//! The sections that are no proxies: ignored where they do nothing by themselves, else refused.

/// One of them.
pub(super) struct Section {
    /// Its first word.
    pub keyword: &'static str,
    /// What to do without it; None: it has no effect unless something refers to it.
    pub refused: Option<&'static str>,
}

const fn ignored(keyword: &'static str) -> Section {
    Section { keyword, refused: None }
}

const fn refused(keyword: &'static str, help: &'static str) -> Section {
    Section { keyword, refused: Some(help) }
}

const SECTIONS: &[Section] = &[
    ignored("cache"),
    ignored("fcgi-app"),
    ignored("healthcheck"),
    ignored("http-errors"),
    ignored("log-profile"),
    ignored("mailers"),
    ignored("resolvers"),
    ignored("ring"),
    ignored("userlist"),
    refused("acme", "certificates are not requested: obtain them with an ACME client"),
    refused("crt-store", "TLS is not served: certificates cannot be loaded"),
    refused("log-forward", "log messages are not forwarded: run a syslog daemon for it"),
    refused("peers", "stick tables are not synchronised: remove the section and what refers to it"),
    refused("program", "programs are not run: start them from the service manager"),
    refused("traces", "there are no trace sources: remove the section"),
];

/// The section that this keyword opens.
pub(super) fn find(keyword: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.keyword == keyword)
}

/// All their keywords, for suggestions.
pub(super) fn keywords() -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().map(|section| section.keyword)
}
