//! Why bytes are no message.

use std::fmt;
use std::io;

/// Why a message could not be read or written.
#[derive(Debug)]
pub enum Error {
    /// The input ended between two messages.
    Closed,
    /// The input ended inside a message.
    Truncated,
    /// The first four bytes are not those of strict TBinaryProtocol.
    Version(u32),
    /// No such message kind.
    MessageKind(u8),
    /// The method's name is not UTF-8.
    Name,
    /// No such type.
    Kind(u8),
    /// A length or count below zero.
    Negative(i32),
    /// A length, a count or the message is beyond what is allowed.
    TooLong {
        /// Bytes (of elements: the fewest they can take) that it asks for.
        asked: u64,
        /// Bytes that were left.
        allowed: u64,
    },
    /// Structs and containers inside each other beyond this depth.
    TooDeep {
        /// The limit.
        allowed: u32,
    },
    /// The input failed, a timeout for example.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Closed => write!(f, "the connection ended"),
            Error::Truncated => write!(f, "the connection ended inside a Thrift message"),
            Error::Version(word) => {
                write!(f, "no strict TBinaryProtocol message: it begins with {word:#010x}, not 0x8001")
            }
            Error::MessageKind(code) => write!(f, "no Thrift message has kind {code}"),
            Error::Name => write!(f, "a Thrift method name that is not UTF-8"),
            Error::Kind(code) => write!(f, "no Thrift value has type {code}"),
            Error::Negative(length) => write!(f, "a Thrift length below zero: {length}"),
            Error::TooLong { asked, allowed } => {
                write!(f, "a Thrift message asks for {asked} more bytes, {allowed} are allowed")
            }
            Error::TooDeep { allowed } => write!(f, "Thrift values nested more than {allowed} deep"),
            Error::Io(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::Truncated,
            _ => Error::Io(error),
        }
    }
}
