//! `global`: what concerns HTTP, compression, Lua, QUIC and device detection only.

use super::reasons::{LUA, QUIC};
use super::value::{COUNT, FAMILY, NUMBER, PERCENT, TIME, VERIFY, Value::*};
use super::{G, Keyword, NONE, ONE, SILENT, SOME, Support, TWO, missing, row};

const DEVICES: Support =
    missing("devices are not detected", "Impala's clients send no user agent: remove it");

/// Its rows.
pub(super) const ROWS: &[Keyword] = &[
    row("h1-accept-payload-with-any-method", G, NONE, "Bodies on GET, HEAD and DELETE.", SILENT),
    row("h1-case-adjust", G, TWO, "Spelling of a header name.", SILENT),
    row("h1-case-adjust-file", G, ONE, "Spellings of header names.", SILENT),
    row("h1-do-not-close-on-insecure-transfer-encoding", G, NONE, "Keep such connections.", SILENT),
    row("h2-workaround-bogus-websocket-clients", G, NONE, "No WebSocket over HTTP/2.", SILENT),
    row("http-err-codes", G, SOME, "Statuses counted as errors.", SILENT),
    row("http-fail-codes", G, SOME, "Statuses counted as failures.", SILENT),
    row("httpclient.resolvers.disabled", G, ONE, "No lookups by the HTTP client.", SILENT),
    row("httpclient.resolvers.id", G, ONE, "Resolvers of the HTTP client.", SILENT),
    row("httpclient.resolvers.prefer", G, ONE, "Address family of the HTTP client.", SILENT)
        .taking(&[FAMILY]),
    row("httpclient.retries", G, ONE, "Retries of the HTTP client.", SILENT),
    row("httpclient.ssl.ca-file", G, ONE, "Authorities of the HTTP client.", SILENT),
    row("httpclient.ssl.verify", G, ONE, "Verification by the HTTP client.", SILENT).taking(&[VERIFY]),
    row("httpclient.timeout.connect", G, ONE, "Connect timeout of the HTTP client.", SILENT),
    row("lua-load", G, SOME, "Load a Lua script.", LUA),
    row("lua-load-per-thread", G, SOME, "Load a Lua script in each thread.", LUA),
    row("lua-prepend-path", G, SOME, "Where Lua modules are found.", SILENT)
        .taking(&[Text, Word(&["path", "cpath"])]),
    row("tune.lua.*", G, ONE, "Limits of Lua scripts.", SILENT),
    row("tune.lua.forced-yield", G, ONE, "Instructions a Lua script runs at a time.", SILENT)
        .taking(&[NUMBER])
        .spare(),
    row("tune.lua.maxmem", G, ONE, "Memory of Lua scripts.", SILENT).taking(&[NUMBER]).spare(),
    row("tune.lua.service-timeout", G, ONE, "Time for a Lua service.", SILENT).taking(&[TIME]).spare(),
    row("tune.lua.session-timeout", G, ONE, "Time for a Lua rule.", SILENT).taking(&[TIME]).spare(),
    row("tune.lua.task-timeout", G, ONE, "Time for a Lua task.", SILENT).taking(&[TIME]).spare(),
    row("tune.h1.*", G, ONE, "HTTP/1 tuning.", SILENT),
    row("tune.h2.*", G, ONE, "HTTP/2 tuning.", SILENT),
    row("tune.h2.header-table-size", G, ONE, "Table of headers.", SILENT).taking(&[Digits(4_096, 65_536)]),
    row("tune.h2.initial-window-size", G, ONE, "First window of a stream.", SILENT).taking(&[COUNT]),
    row("tune.h2.max-concurrent-streams", G, ONE, "Most streams.", SILENT).taking(&[COUNT]),
    row("tune.h2.max-frame-size", G, ONE, "Largest frame.", SILENT).taking(&[Digits(16_384, 16_777_215)]),
    row("tune.http.cookielen", G, ONE, "Longest captured cookie.", SILENT),
    row("tune.http.logurilen", G, ONE, "Longest logged URI.", SILENT),
    row("tune.http.maxhdr", G, ONE, "Most headers.", SILENT).taking(&[Digits(1, 32_767)]),
    row("tune.quic.*", G, SOME, "QUIC tuning.", SILENT),
    row("tune.comp.maxlevel", G, ONE, "Compression level.", SILENT).taking(&[Digits(1, 9)]),
    row("tune.zlib.memlevel", G, ONE, "Memory of compression.", SILENT),
    row("tune.zlib.windowsize", G, ONE, "Window of compression.", SILENT),
    row("maxcomprate", G, ONE, "Most compressed bytes per second.", SILENT),
    row("maxcompcpuusage", G, ONE, "Most CPU for compression.", SILENT).taking(&[PERCENT]),
    row("maxzlibmem", G, ONE, "Most memory for compression.", SILENT),
    row("limited-quic", G, NONE, "QUIC without full library support.", QUIC),
    row("harden.reject-privileged-ports.quic", G, ONE, "Refuse QUIC clients of low ports.", SILENT),
    row("51degrees-*", G, SOME, "51Degrees device detection.", DEVICES),
    row("deviceatlas-*", G, SOME, "DeviceAtlas device detection.", DEVICES),
    row("wurfl-*", G, SOME, "WURFL device detection.", DEVICES),
];
