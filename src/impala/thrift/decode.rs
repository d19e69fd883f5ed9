//! Bytes to values, bounded.

use std::io::{self, Read};

use super::value::{Kind, Map, Sequence, Struct, Value};
use super::{Error, Message, MessageKind};

/// What one message may cost its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole message.
    pub bytes: u32,
    /// Structs and containers inside each other.
    pub depth: u32,
}

impl Default for Limits {
    /// 4 MiB (a long SQL statement) and 32 levels (TCLIService needs 8).
    fn default() -> Limits {
        Limits { bytes: 4 << 20, depth: 32 }
    }
}

pub(super) fn message(input: &mut impl Read, limits: Limits) -> Result<Message, Error> {
    let mut decoder = Decoder { input, left: limits.bytes, limits };
    let kind = decoder.header()?;
    let name = String::from_utf8(decoder.bytes()?).map_err(|_| Error::Name)?;
    let sequence = i32::from_be_bytes(decoder.array()?);
    let body = decoder.fields(0)?;
    Ok(Message { kind, name, sequence, body })
}

struct Decoder<'a, R> {
    input: &'a mut R,
    left: u32,
    limits: Limits,
}

impl<R: Read> Decoder<'_, R> {
    fn header(&mut self) -> Result<MessageKind, Error> {
        self.spend(4)?;
        let mut word = [0; 4];
        word[0] = self.first_byte()?;
        self.input.read_exact(&mut word[1..])?;
        if word[..2] != [0x80, 0x01] {
            return Err(Error::Version(u32::from_be_bytes(word)));
        }
        MessageKind::of_code(word[3]).ok_or(Error::MessageKind(word[3]))
    }

    fn first_byte(&mut self) -> Result<u8, Error> {
        let mut byte = [0];
        loop {
            match self.input.read(&mut byte) {
                Ok(0) => return Err(Error::Closed),
                Ok(_) => return Ok(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Io(error)),
            }
        }
    }

    fn spend(&mut self, bytes: u32) -> Result<(), Error> {
        let allowed = u64::from(self.left);
        self.left =
            self.left.checked_sub(bytes).ok_or(Error::TooLong { asked: u64::from(bytes), allowed })?;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.spend(N as u32)?;
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn length(&mut self) -> Result<u32, Error> {
        let length = i32::from_be_bytes(self.array()?);
        u32::try_from(length).map_err(|_| Error::Negative(length))
    }

    fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        let length = self.length()?;
        self.spend(length)?;
        // Grows with what arrives: a length alone allocates nothing.
        let mut bytes = Vec::new();
        self.input.take(u64::from(length)).read_to_end(&mut bytes)?;
        if bytes.len() == length as usize { Ok(bytes) } else { Err(Error::Truncated) }
    }

    fn kind(&mut self) -> Result<Kind, Error> {
        let [code] = self.array()?;
        Kind::of_code(code).ok_or(Error::Kind(code))
    }

    /// A count of elements that the bytes left could hold.
    fn count(&mut self, least_bytes: u32) -> Result<u32, Error> {
        let count = self.length()?;
        let asked = u64::from(count) * u64::from(least_bytes);
        let allowed = u64::from(self.left);
        if asked > allowed { Err(Error::TooLong { asked, allowed }) } else { Ok(count) }
    }

    fn value(&mut self, kind: Kind, depth: u32) -> Result<Value, Error> {
        Ok(match kind {
            Kind::Bool => Value::Bool(self.array::<1>()?[0] != 0),
            Kind::Byte => Value::Byte(i8::from_be_bytes(self.array()?)),
            Kind::Double => Value::Double(f64::from_be_bytes(self.array()?)),
            Kind::I16 => Value::I16(i16::from_be_bytes(self.array()?)),
            Kind::I32 => Value::I32(i32::from_be_bytes(self.array()?)),
            Kind::I64 => Value::I64(i64::from_be_bytes(self.array()?)),
            Kind::Bytes => Value::Bytes(self.bytes()?),
            Kind::Struct => Value::Struct(self.fields(self.deeper(depth)?)?),
            Kind::Map => Value::Map(self.map(self.deeper(depth)?)?),
            Kind::Set => Value::Set(self.sequence(self.deeper(depth)?)?),
            Kind::List => Value::List(self.sequence(self.deeper(depth)?)?),
        })
    }

    fn deeper(&self, depth: u32) -> Result<u32, Error> {
        let allowed = self.limits.depth;
        if depth < allowed { Ok(depth + 1) } else { Err(Error::TooDeep { allowed }) }
    }

    fn fields(&mut self, depth: u32) -> Result<Struct, Error> {
        let mut fields = Struct::new();
        loop {
            let [code] = self.array()?;
            if code == 0 {
                return Ok(fields);
            }
            let kind = Kind::of_code(code).ok_or(Error::Kind(code))?;
            let id = i16::from_be_bytes(self.array()?);
            fields.push(id, self.value(kind, depth)?);
        }
    }

    fn map(&mut self, depth: u32) -> Result<Map, Error> {
        let (key, value) = (self.kind()?, self.kind()?);
        let count = self.count(key.least_bytes() + value.least_bytes())?;
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push((self.value(key, depth)?, self.value(value, depth)?));
        }
        Ok(Map::new(key, value, entries))
    }

    fn sequence(&mut self, depth: u32) -> Result<Sequence, Error> {
        let element = self.kind()?;
        let count = self.count(element.least_bytes())?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(element, depth)?);
        }
        Ok(Sequence::new(element, items))
    }
}
