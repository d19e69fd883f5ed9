//! Thrift's TBinaryProtocol, strict form, as values: no interface definition, no generated code.
//!
//! A message is `80 01 00 kind`, a string (the method's name), an i32 (the sequence number) and a
//! struct. A field is its type byte, its i16 id and its value; the byte 00 ends a struct. All
//! integers are big-endian (Thrift's `doc/specs/thrift-binary-protocol.md`).
//!
//! Reading is bounded by [`Limits`]: nothing is allocated because a length field asks for it, and
//! no sequence of bytes makes it panic.

mod decode;
mod encode;
mod error;
mod value;

pub use decode::Limits;
pub use error::Error;
pub use value::{Kind, Map, Sequence, Struct, Value};

use std::io::Read;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A request that is answered.
    Call,
    /// The answer: field 0 of its body is the result, others are declared exceptions.
    Reply,
    /// The answer is a TApplicationException: field 1 text, field 2 type.
    Exception,
    /// A request that is not answered.
    Oneway,
}

impl MessageKind {
    fn code(self) -> u8 {
        match self {
            MessageKind::Call => 1,
            MessageKind::Reply => 2,
            MessageKind::Exception => 3,
            MessageKind::Oneway => 4,
        }
    }

    fn of_code(code: u8) -> Option<MessageKind> {
        [MessageKind::Call, MessageKind::Reply, MessageKind::Exception, MessageKind::Oneway]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// One call or answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// What it is.
    pub kind: MessageKind,
    /// The method.
    pub name: String,
    /// Chosen by the caller, repeated in the answer.
    pub sequence: i32,
    /// The arguments of a call, the result of a reply.
    pub body: Struct,
}

impl Message {
    /// A call of `name`.
    pub fn call(name: &str, sequence: i32, body: Struct) -> Message {
        Message { kind: MessageKind::Call, name: name.to_owned(), sequence, body }
    }

    /// The answer to `self`.
    pub fn reply(&self, body: Struct) -> Message {
        Message { kind: MessageKind::Reply, name: self.name.clone(), sequence: self.sequence, body }
    }

    /// The TApplicationException with which Thrift servers answer a method they do not have.
    pub fn unknown_method(&self) -> Message {
        const UNKNOWN_METHOD: i32 = 1;
        let text = format!("Invalid method name: '{}'", self.name);
        let body = Struct::new().with(1, text).with(2, UNKNOWN_METHOD);
        Message { kind: MessageKind::Exception, name: self.name.clone(), sequence: self.sequence, body }
    }

    /// Reads exactly one message and nothing beyond it.
    ///
    /// [`Error::Closed`] when the input ends before the first byte: the peer has finished.
    pub fn read(input: &mut impl Read, limits: Limits) -> Result<Message, Error> {
        decode::message(input, limits)
    }

    /// The message's bytes. Fails only when a string or a container has more than 2^31 - 1 elements.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(256);
        encode::message(self, &mut out)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    fn read(bytes: &[u8]) -> Result<Message, Error> {
        Message::read(&mut &bytes[..], Limits::default())
    }

    #[test]
    fn beeswax_ping_is_the_30_bytes_an_impalad_answers() {
        let ping = Message::call("PingImpalaService", 0, Struct::new());
        let mut expected = hex("80 01 00 01 00 00 00 11");
        expected.extend(b"PingImpalaService");
        expected.extend(hex("00 00 00 00 00"));
        assert_eq!(expected.len(), 30);
        assert_eq!(ping.to_bytes().unwrap(), expected);
        assert_eq!(read(&expected).unwrap(), ping);
    }

    #[test]
    fn open_session_is_the_bytes_of_a_probe() {
        let request = Struct::new().with(1, 5).with(2, "probe");
        let call = Message::call("OpenSession", 0, Struct::new().with(1, request));
        let mut expected = hex("80 01 00 01 00 00 00 0b");
        expected.extend(b"OpenSession");
        expected.extend(hex("00 00 00 00 0c 00 01 08 00 01 00 00 00 05 0b 00 02 00 00 00 05"));
        expected.extend(b"probe");
        expected.extend(hex("00 00"));
        assert_eq!(call.to_bytes().unwrap(), expected);
        assert_eq!(read(&expected).unwrap(), call);
    }

    #[test]
    fn close_session_nests_its_handle_three_deep() {
        let (guid, secret) = (vec![7u8; 16], vec![9u8; 16]);
        let id = Struct::new().with(1, guid.clone()).with(2, secret.clone());
        let handle = Struct::new().with(1, id);
        let call = Message::call("CloseSession", 0, Struct::new().with(1, Struct::new().with(1, handle)));
        let bytes = call.to_bytes().unwrap();
        assert_eq!(bytes.len(), 83);
        let mut tail = hex("0c 00 01 0c 00 01 0c 00 01 0b 00 01 00 00 00 10");
        tail.extend(guid);
        tail.extend(hex("0b 00 02 00 00 00 10"));
        tail.extend(secret);
        tail.extend(hex("00 00 00 00"));
        assert!(bytes.ends_with(&tail));
        assert_eq!(read(&bytes).unwrap().body.at(&[1, 1, 1, 1]).and_then(Value::bytes), Some(&[7u8; 16][..]));
    }

    #[test]
    fn a_successful_status_is_found_in_a_reply() {
        let status = Struct::new().with(1, 0);
        let reply = Message::call("OpenSession", 0, Struct::new())
            .reply(Struct::new().with(0, Struct::new().with(1, status)));
        let bytes = reply.to_bytes().unwrap();
        let healthy = hex("0c 00 00 0c 00 01 08 00 01 00 00 00 00");
        assert!(bytes.windows(healthy.len()).any(|window| window == healthy));
    }

    #[test]
    fn a_message_ends_where_its_struct_ends() {
        let first = Message::call("get_log", 1, Struct::new().with(1, "context"));
        let second = Message::call("close", 2, Struct::new());
        let mut bytes = first.to_bytes().unwrap();
        bytes.extend(second.to_bytes().unwrap());
        let mut input = &bytes[..];
        assert_eq!(Message::read(&mut input, Limits::default()).unwrap(), first);
        assert_eq!(Message::read(&mut input, Limits::default()).unwrap(), second);
        assert!(matches!(Message::read(&mut input, Limits::default()), Err(Error::Closed)));
    }

    #[test]
    fn old_unversioned_and_foreign_bytes_are_refused() {
        assert!(matches!(read(b"GET /healthz HTTP/1.1\r\n\r\n"), Err(Error::Version(_))));
        assert!(matches!(read(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n"), Err(Error::Version(_))));
        assert!(matches!(read(&hex("80 01 00 09 00 00 00 00 00 00 00 00 00")), Err(Error::MessageKind(9))));
        assert!(matches!(read(&hex("80 01 00 01 00 00 00 01 ff 00 00 00 00 00")), Err(Error::Name)));
        assert!(matches!(read(&hex("80 01 00 01 ff ff ff ff")), Err(Error::Negative(-1))));
    }

    #[test]
    fn lengths_are_not_believed() {
        let string = hex("80 01 00 01 00 00 00 01 61 00 00 00 00 0b 00 01 7f ff ff ff 61 61");
        assert!(matches!(read(&string), Err(Error::TooLong { .. })));
        let list = hex("80 01 00 01 00 00 00 01 61 00 00 00 00 0f 00 01 02 7f ff ff ff 01");
        assert!(matches!(read(&list), Err(Error::TooLong { .. })));
    }

    #[test]
    fn nesting_is_bounded() {
        let mut bytes = hex("80 01 00 01 00 00 00 01 61 00 00 00 00");
        for _ in 0..10_000 {
            bytes.extend(hex("0c 00 01"));
        }
        assert!(matches!(read(&bytes), Err(Error::TooDeep { .. })));
    }

    fn scalar() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i8>().prop_map(Value::Byte),
            any::<i16>().prop_map(Value::I16),
            any::<i32>().prop_map(Value::I32),
            any::<i64>().prop_map(Value::I64),
            (-1e300..1e300f64).prop_map(Value::Double),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        ]
    }

    fn tree() -> impl Strategy<Value = Value> {
        scalar().prop_recursive(4, 60, 6, |inner| {
            prop_oneof![
                prop::collection::btree_map(any::<i16>(), inner.clone(), 0..6)
                    .prop_map(|fields| Value::Struct(fields.into_iter().collect())),
                (inner.clone(), 0..5usize).prop_map(|(item, n)| Value::list(item.kind(), vec![item; n])),
                (inner, prop::collection::vec(".{0,8}", 0..5)).prop_map(|(item, keys)| {
                    let entries = keys.into_iter().map(|key| (Value::from(key), item.clone())).collect();
                    Value::Map(Map::new(Kind::Bytes, item.kind(), entries))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in tree(), name in "[a-zA-Z_]{1,30}", sequence: i32) {
            let message = Message::call(&name, sequence, Struct::new().with(1, value));
            prop_assert_eq!(read(&message.to_bytes().unwrap()).unwrap(), message);
        }

        #[test]
        fn a_cut_message_is_truncated(value in tree(), cut: prop::sample::Index) {
            let bytes = Message::call("m", 0, Struct::new().with(1, value)).to_bytes().unwrap();
            let short = &bytes[..cut.index(bytes.len())];
            let expected = if short.is_empty() { "closed" } else { "truncated" };
            let seen = match read(short) {
                Err(Error::Closed) => "closed",
                Err(Error::Truncated) => "truncated",
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes);
            let mut started = hex("80 01 00 01 00 00 00 01 61 00 00 00 00");
            started.extend(bytes);
            let _ = read(&started);
        }

        #[test]
        fn no_flipped_byte_makes_it_panic(value in tree(), at: prop::sample::Index, byte: u8) {
            let mut bytes = Message::call("m", 0, Struct::new().with(1, value)).to_bytes().unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = read(&bytes);
        }

        #[test]
        fn never_more_is_read_than_allowed(bytes in prop::collection::vec(any::<u8>(), 0..400), allowed in 0u32..200) {
            let mut input = &bytes[..];
            let _ = Message::read(&mut input, Limits { bytes: allowed, ..Limits::default() });
            prop_assert!(bytes.len() - input.len() <= allowed as usize);
        }
    }
}
