//! TLS options of `bind` lines: `ssl` is refused, and without it the others have no effect in HAProxy either.

use super::reasons::{TLS, WITH_TLS as W};
use super::value::{VERSION, Value::*};
use super::{Keyword, NONE, ONE, Places, row};

const B: Places = Places::BIND.and(Places::SOCKET);

/// Its rows.
pub(super) const ROWS: &[Keyword] = &[
    row("ssl", B, NONE, "Terminate TLS.", TLS),
    row("crt", B, ONE, "Certificate and key.", W),
    row("crt-list", B, ONE, "List of certificates.", W),
    row("default-crt", B, ONE, "Certificate of unknown names.", W),
    row("ca-file", B, ONE, "Authorities of client certificates.", W),
    row("ca-verify-file", B, ONE, "Authorities to verify with.", W),
    row("ca-ignore-err", B, ONE, "Errors of authorities to ignore.", W),
    row("ca-sign-file", B, ONE, "Authority to sign with.", W),
    row("ca-sign-pass", B, ONE, "Passphrase of the signing authority.", W),
    row("crl-file", B, ONE, "Revoked certificates.", W),
    row("crt-ignore-err", B, ONE, "Errors of certificates to ignore.", W),
    row("verify", B, ONE, "Whether clients show certificates.", W)
        .taking(&[Word(&["none", "optional", "required"])]),
    row("alpn", B, ONE, "Protocols offered.", W),
    row("no-alpn", B, NONE, "Offer no protocol.", W),
    row("npn", B, ONE, "Protocols offered, old form.", W),
    row("ciphers", B, ONE, "Ciphers up to TLS 1.2.", W),
    row("ciphersuites", B, ONE, "TLS 1.3 suites.", W),
    row("curves", B, ONE, "Elliptic curves.", W),
    row("ecdhe", B, ONE, "Curve of key exchange.", W),
    row("sigalgs", B, ONE, "Signature algorithms.", W),
    row("client-sigalgs", B, ONE, "Signature algorithms asked of clients.", W),
    row("ssl-min-ver", B, ONE, "Lowest version.", W).taking(&[VERSION]),
    row("ssl-max-ver", B, ONE, "Highest version.", W).taking(&[VERSION]),
    row("no-sslv3", B, NONE, "No SSL 3.", W),
    row("no-tlsv10", B, NONE, "No TLS 1.0.", W),
    row("no-tlsv11", B, NONE, "No TLS 1.1.", W),
    row("no-tlsv12", B, NONE, "No TLS 1.2.", W),
    row("no-tlsv13", B, NONE, "No TLS 1.3.", W),
    row("force-sslv3", B, NONE, "SSL 3 only.", W),
    row("force-tlsv10", B, NONE, "TLS 1.0 only.", W),
    row("force-tlsv11", B, NONE, "TLS 1.1 only.", W),
    row("force-tlsv12", B, NONE, "TLS 1.2 only.", W),
    row("force-tlsv13", B, NONE, "TLS 1.3 only.", W),
    row("strict-sni", B, NONE, "Refuse unknown names.", W),
    row("no-strict-sni", B, NONE, "Accept unknown names.", W),
    row("no-ca-names", B, NONE, "Do not tell authorities.", W),
    row("no-tls-tickets", B, NONE, "No session tickets.", W),
    row("tls-tickets", B, NONE, "Session tickets.", W),
    row("tls-ticket-keys", B, ONE, "Keys of tickets.", W),
    row("prefer-client-ciphers", B, NONE, "The client's order of ciphers.", W),
    row("allow-0rtt", B, NONE, "Early data.", W),
    row("generate-certificates", B, NONE, "Certificates made on the fly.", W),
    row("ktls", B, ONE, "TLS in the kernel.", W),
    row("ech", B, ONE, "Encrypted greeting.", W),
];
