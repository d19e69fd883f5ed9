//! What a request to a stats listener asks for: the uri's options after `;` and its query.

use std::fmt::Write as _;

use super::form::Done;
use crate::stats::Format;

/// What the page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// `;csv`, `;json`, `;typed`; None: the page.
    pub listing: Option<Format>,
    /// `;norefresh`
    pub norefresh: bool,
    /// `;up`: servers that are down are left out.
    pub up: bool,
    /// `;no-maint`: servers in maintenance are left out.
    pub no_maint: bool,
    /// `;st=`: how an action went.
    pub done: Option<Done>,
    /// `?scope=`: only proxies whose name holds this.
    pub scope: String,
}

impl View {
    /// The target that asks for this of the page at `uri`.
    pub fn target(&self, uri: &str) -> String {
        let mut target = uri.to_owned();
        if let Some(done) = self.done {
            target.push_str(";st=");
            target.push_str(done.letters());
        }
        for (is_chosen, option) in
            [(self.up, ";up"), (self.no_maint, ";no-maint"), (self.norefresh, ";norefresh")]
        {
            target.push_str(if is_chosen { option } else { "" });
        }
        if !self.scope.is_empty() {
            target.push_str("?scope=");
            target.push_str(&coded(&self.scope));
        }
        target
    }
}

/// Reads the target of a request; None when it does not begin with `uri` (which may hold a query itself).
/// A longer path that begins so is the page too, as in HAProxy.
pub fn view(uri: &str, target: &str) -> Option<View> {
    let rest = target.strip_prefix(uri)?;
    // A browser that sends the page's own form goes on with the query that the uri began.
    let (path, query) = rest.split_once(['?', '&']).unwrap_or((rest, ""));
    let mut view = View::default();
    for option in path.split(';').skip(1) {
        match option {
            "csv" => view.listing = Some(Format::Plain),
            "json" => view.listing = Some(Format::Json),
            "typed" => view.listing = Some(Format::Typed),
            "norefresh" => view.norefresh = true,
            "up" => view.up = true,
            "no-maint" => view.no_maint = true,
            option => view.done = option.strip_prefix("st=").and_then(Done::of).or(view.done),
        }
    }
    let scope = query.split('&').find_map(|pair| pair.strip_prefix("scope="));
    view.scope = scope.map(plain).unwrap_or_default();
    Some(view)
}

/// Percent-encodes all that could mean something in a target.
fn coded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => write!(out, "%{byte:02X}").expect("writing to a String cannot fail"),
        }
    }
    out
}

/// Undoes percent-encoding; what is no valid code stays as it is.
pub fn plain(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(if first == b'+' { b' ' } else { first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_follow_the_uri() {
        let all = view("/stats", "/stats;csv;norefresh;up?scope=a%2Db").expect("the page");
        let expected = View {
            listing: Some(Format::Plain),
            norefresh: true,
            up: true,
            no_maint: false,
            done: None,
            scope: "a-b".to_owned(),
        };
        assert_eq!(all, expected);
        let listing = |uri, target| view(uri, target).expect("the page").listing;
        assert_eq!(listing("/haproxy?stats", "/haproxy?stats;csv"), Some(Format::Plain));
        assert_eq!(listing("/", "/;json"), Some(Format::Json));
        assert_eq!(listing("/", "/;typed"), Some(Format::Typed));
        assert_eq!(listing("/", "/;xml"), None);
    }

    #[test]
    fn a_target_asks_for_what_is_seen() {
        let seen = View {
            norefresh: true,
            up: true,
            no_maint: true,
            done: Some(Done::Partly),
            scope: "é &b".to_owned(),
            ..View::default()
        };
        let target = seen.target("/stats");
        assert_eq!(target, "/stats;st=PART;up;no-maint;norefresh?scope=%C3%A9%20%26b");
        assert_eq!(view("/stats", &target), Some(seen));
        assert_eq!(View::default().target("/haproxy?stats"), "/haproxy?stats");
        let sent = view("/haproxy?stats", "/haproxy?stats=&scope=b").expect("the page");
        assert_eq!(sent.scope, "b");
    }

    #[test]
    fn other_paths_are_not_the_page() {
        assert_eq!(view("/stats", "/"), None);
        assert_eq!(view("/stats", "/stat"), None);
        assert_eq!(view("/haproxy?stats", "/haproxy"), None);
    }

    #[test]
    fn broken_codes_stay() {
        assert_eq!(plain("a%zz%4"), "a%zz%4");
        assert_eq!(plain("%c3%a9+b"), "é b");
    }
}
