//! The variables a configuration may expand: the process's, HAProxy's own, and the pseudo ones.

use std::collections::BTreeMap;

/// The version of HAProxy whose language and behaviour this proxy follows.
pub const HAPROXY_VERSION: &str = "3.5-dev5";

/// Its branch.
pub const HAPROXY_BRANCH: &str = "3.5";

/// That version with Pronk's own behind it: tools compare it with the numbers of HAProxy.
pub const VERSION: &str = concat!("3.5-dev5-pronk", env!("CARGO_PKG_VERSION"));

/// Where an expansion stands, for `.FILE`, `.LINE` and `.SECTION`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Here<'a> {
    /// The file's name as given.
    pub file: &'a str,
    /// 1-based.
    pub line: u32,
    /// The section's name, or its type when it has none, or nothing before the first one.
    pub section: &'a str,
}

/// What expands a variable.
pub trait Variables {
    /// The value of `name`, None when it does not exist.
    fn value(&self, name: &str, here: Here<'_>) -> Option<String>;
}

/// A copy of the process's environment; `setenv` and its kin change the copy only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Environment { variables: pairs.into_iter().map(|(n, v)| (n.into(), v.into())).collect() }
    }
}

impl Environment {
    /// The value of a variable.
    pub fn value_of(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// `setenv`.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.variables.insert(name.into(), value.into());
    }

    /// `presetenv`: only when it does not exist yet.
    pub fn preset(&mut self, name: &str, value: &str) {
        self.variables.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }

    /// `unsetenv`.
    pub fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// `resetenv`: only these stay.
    pub fn retain(&mut self, names: &[&str]) {
        self.variables.retain(|name, _| names.contains(&name.as_str()));
    }

    /// Adds the variables HAProxy defines before it reads a file (configuration manual, section 2.3).
    pub fn predefine(&mut self, files: &[&str], local_peer: &str, master_worker: bool) {
        self.set("HAPROXY_STARTUP_VERSION", HAPROXY_VERSION);
        self.set("HAPROXY_BRANCH", HAPROXY_BRANCH);
        self.set("HAPROXY_CFGFILES", files.join(";"));
        self.preset("HAPROXY_LOCALPEER", local_peer);
        if master_worker {
            self.set("HAPROXY_MWORKER", "1");
        }
        for (name, format) in LOG_FORMATS {
            self.set(*name, *format);
        }
    }
}

impl Variables for Environment {
    fn value(&self, name: &str, here: Here<'_>) -> Option<String> {
        match name {
            ".FILE" => Some(here.file.to_owned()),
            ".LINE" => Some(here.line.to_string()),
            ".SECTION" => Some(here.section.to_owned()),
            _ => self.value_of(name).map(str::to_owned),
        }
    }
}

/// The predefined log formats (configuration manual, sections 2.3 and 8.2).
const LOG_FORMATS: &[(&str, &str)] = &[
    ("HAPROXY_TCP_LOG_FMT", "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq"),
    (
        "HAPROXY_TCP_CLF_LOG_FMT",
        "%{+Q}o %{-Q}ci - - [%T] \"TCP \" 000 %B \"\" \"\" %cp %ms %ft %b %s %Th %Tw %Tc %Tt %U %ts-- \
         %ac %fc %bc %sc %rc %sq %bq \"\" \"\" ",
    ),
    (
        "HAPROXY_HTTP_LOG_FMT",
        "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq \
         %hr %hs %{+Q}r",
    ),
    (
        "HAPROXY_HTTPS_LOG_FMT",
        "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq \
         %hr %hs %{+Q}r %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] \
         %[ssl_fc_sni]/%sslv/%sslc",
    ),
    (
        "HAPROXY_HTTP_CLF_LOG_FMT",
        "%{+Q}o %{-Q}ci - - [%trg] %r %ST %B \"\" \"\" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta %tsc \
         %ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl",
    ),
];
