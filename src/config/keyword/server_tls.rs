//! TLS options of `server` lines: `ssl` is refused, and without it the others have no effect in HAProxy either.

use super::reasons::{TLS, WITH_TLS as W};
use super::value::{VERIFY, VERSION};
use super::{Keyword, NONE, ONE, Places, row};

const S: Places = Places::SERVER.and(Places::DEFAULT_SERVER);

/// Its rows.
pub(super) const ROWS: &[Keyword] = &[
    row("ssl", S, NONE, "Connect with TLS.", TLS),
    row("check-ssl", S, NONE, "Check with TLS.", TLS),
    row("no-ssl", S, NONE, "Connect without TLS.", W),
    row("no-check-ssl", S, NONE, "Check without TLS.", W),
    row("verify", S, ONE, "Whether its certificate is verified.", W).taking(&[VERIFY]),
    row("verifyhost", S, ONE, "Name its certificate must have.", W),
    row("no-verifyhost", S, NONE, "Any name will do.", W),
    row("ca-file", S, ONE, "Authorities of its certificate.", W),
    row("crl-file", S, ONE, "Revoked certificates.", W),
    row("crt", S, ONE, "Own certificate.", W),
    row("sni", S, ONE, "Name sent.", W),
    row("sni-auto", S, NONE, "Send the client's name.", W),
    row("no-sni-auto", S, NONE, "Send no name of one's own accord.", W),
    row("check-sni", S, ONE, "Name sent by checks.", W),
    row("check-sni-auto", S, NONE, "Send the check's name.", W),
    row("no-check-sni-auto", S, NONE, "Send no name of one's own accord.", W),
    row("alpn", S, ONE, "Protocols offered.", W),
    row("check-alpn", S, ONE, "Protocols offered by checks.", W),
    row("npn", S, ONE, "Protocols offered, old form.", W),
    row("ciphers", S, ONE, "Ciphers up to TLS 1.2.", W),
    row("ciphersuites", S, ONE, "TLS 1.3 suites.", W),
    row("curves", S, ONE, "Elliptic curves.", W),
    row("sigalgs", S, ONE, "Signature algorithms.", W),
    row("client-sigalgs", S, ONE, "Signature algorithms of own certificate.", W),
    row("ssl-min-ver", S, ONE, "Lowest version.", W).taking(&[VERSION]),
    row("ssl-max-ver", S, ONE, "Highest version.", W).taking(&[VERSION]),
    row("ssl-reuse", S, NONE, "Resume sessions.", W),
    row("no-ssl-reuse", S, NONE, "Do not resume sessions.", W),
    row("tls-tickets", S, NONE, "Session tickets.", W),
    row("no-tls-tickets", S, NONE, "No session tickets.", W),
    row("renegotiate", S, NONE, "Allow renegotiation.", W),
    row("no-renegotiate", S, NONE, "Refuse renegotiation.", W),
    row("no-sslv3", S, NONE, "No SSL 3.", W),
    row("no-tlsv10", S, NONE, "No TLS 1.0.", W),
    row("no-tlsv11", S, NONE, "No TLS 1.1.", W),
    row("no-tlsv12", S, NONE, "No TLS 1.2.", W),
    row("no-tlsv13", S, NONE, "No TLS 1.3.", W),
    row("force-sslv3", S, NONE, "SSL 3 only.", W),
    row("force-tlsv10", S, NONE, "TLS 1.0 only.", W),
    row("force-tlsv11", S, NONE, "TLS 1.1 only.", W),
    row("force-tlsv12", S, NONE, "TLS 1.2 only.", W),
    row("force-tlsv13", S, NONE, "TLS 1.3 only.", W),
    row("allow-0rtt", S, NONE, "Early data.", W),
    row("ktls", S, ONE, "TLS in the kernel.", W),
];
