//! Values to bytes.

use super::value::{Struct, Value};
use super::{Error, Message};

pub(super) fn message(message: &Message, out: &mut Vec<u8>) -> Result<(), Error> {
    out.extend([0x80, 0x01, 0x00, message.kind.code()]);
    bytes(message.name.as_bytes(), out)?;
    out.extend(message.sequence.to_be_bytes());
    fields(&message.body, out)
}

fn length(length: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    let too_long = Error::TooLong { asked: length as u64, allowed: i32::MAX as u64 };
    let length = i32::try_from(length).map_err(|_| too_long)?;
    out.extend(length.to_be_bytes());
    Ok(())
}

fn bytes(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    length(bytes.len(), out)?;
    out.extend_from_slice(bytes);
    Ok(())
}

fn fields(fields: &Struct, out: &mut Vec<u8>) -> Result<(), Error> {
    for (id, field) in fields.iter() {
        out.push(field.kind() as u8);
        out.extend(id.to_be_bytes());
        value(field, out)?;
    }
    out.push(0);
    Ok(())
}

fn value(value: &Value, out: &mut Vec<u8>) -> Result<(), Error> {
    match value {
        Value::Bool(value) => out.push(u8::from(*value)),
        Value::Byte(number) => out.extend(number.to_be_bytes()),
        Value::Double(number) => out.extend(number.to_be_bytes()),
        Value::I16(number) => out.extend(number.to_be_bytes()),
        Value::I32(number) => out.extend(number.to_be_bytes()),
        Value::I64(number) => out.extend(number.to_be_bytes()),
        Value::Bytes(text) => bytes(text, out)?,
        Value::Struct(inner) => fields(inner, out)?,
        Value::Map(map) => entries(map, out)?,
        Value::Set(sequence) | Value::List(sequence) => items(sequence, out)?,
    }
    Ok(())
}

fn items(sequence: &super::Sequence, out: &mut Vec<u8>) -> Result<(), Error> {
    out.push(sequence.element() as u8);
    length(sequence.items().len(), out)?;
    sequence.items().iter().try_for_each(|item| value(item, out))
}

fn entries(map: &super::Map, out: &mut Vec<u8>) -> Result<(), Error> {
    let (key_kind, value_kind) = map.kinds();
    out.extend([key_kind as u8, value_kind as u8]);
    length(map.entries().len(), out)?;
    map.entries().iter().try_for_each(|(key, item)| value(key, out).and_then(|()| value(item, out)))
}
