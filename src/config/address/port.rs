//! What stands after the colon.

use super::{AddressError, Usage};

/// A port, or what replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// None is given: on a server, the port the client connected to.
    None,
    /// `:80`
    Fixed(u16),
    /// `:3000-3010`, inclusive.
    Range(u16, u16),
    /// `:+10` and `:-10`: relative to the port the client connected to.
    Offset(i32),
}

/// Reads it; `text` is the whole address, for messages.
pub(super) fn parse(port: Option<&str>, text: &str, usage: Usage) -> Result<Port, AddressError> {
    let listening = matches!(usage, Usage::Bind | Usage::StatsSocket);
    match port {
        None | Some("") if listening => Err(AddressError::new(
            format!("missing port specification in '{text}'"),
            format!("say where to listen, as in {}:21050", text.trim_end_matches(':')),
        )),
        None | Some("") => Ok(Port::None),
        Some(port) if port.starts_with(['+', '-']) => offset(port, text, usage),
        Some(port) if port.contains('-') => range(port, text, usage),
        Some("0") if !listening => Ok(Port::None),
        Some(port) => number(port, text).map(Port::Fixed),
    }
}

fn offset(port: &str, text: &str, usage: Usage) -> Result<Port, AddressError> {
    if usage != Usage::Server {
        return Err(AddressError::new(
            format!("port offset not permitted here in '{text}'"),
            "an offset is relative to the client's port and belongs on a server line",
        ));
    }
    let magnitude = i32::from(number(&port[1..], text)?);
    Ok(Port::Offset(if port.starts_with('-') { -magnitude } else { magnitude }))
}

fn range(port: &str, text: &str, usage: Usage) -> Result<Port, AddressError> {
    if usage != Usage::Bind {
        let help = match usage {
            Usage::Source => {
                "ports are chosen freely for each server, so that one address is enough for 64 Ki connections to \
                 each; leave them out"
            }
            _ => "one port is needed here; ranges belong on bind lines",
        };
        return Err(AddressError::new(format!("port range not permitted here in '{text}'"), help));
    }
    let (low, high) = port.split_once('-').unwrap_or((port, ""));
    let (low, high) = (number(low, text)?, number(high, text)?);
    if low > high {
        return Err(AddressError::new(
            format!("invalid port range '{port}'"),
            format!("the lower port comes first: {high}-{low}"),
        ));
    }
    Ok(if low == high { Port::Fixed(low) } else { Port::Range(low, high) })
}

/// 1 to 65535.
fn number(port: &str, text: &str) -> Result<u16, AddressError> {
    if let Some(odd) = port.chars().find(|c| !c.is_ascii_digit()) {
        return Err(AddressError::new(
            format!("invalid character '{odd}' in port number '{port}' in '{text}'"),
            "a port is a number from 1 to 65535; an IPv6 address before it stands in brackets",
        ));
    }
    port.parse()
        .ok()
        .filter(|port: &u16| *port > 0)
        .ok_or_else(|| AddressError::new(format!("invalid port '{port}'"), "ports go from 1 to 65535"))
}
