//! What a request to a stats listener asks for: the uri's options after `;` and its query.

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

/// Reads the target of a request; None when it does not begin with `uri` (which may hold a query itself).
/// A longer path that begins so is the page too, as in HAProxy.
pub fn view(uri: &str, target: &str) -> Option<View> {
    let rest = target.strip_prefix(uri)?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
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
