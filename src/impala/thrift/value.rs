//! The dynamic value tree of TBinaryProtocol.

/// A value's type; the number is its type byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// One byte, 0 or 1.
    Bool = 2,
    /// One signed byte.
    Byte = 3,
    /// IEEE 754, 8 bytes.
    Double = 4,
    /// 2 bytes.
    I16 = 6,
    /// 4 bytes; enums too.
    I32 = 8,
    /// 8 bytes.
    I64 = 10,
    /// `string` or `binary`: i32 length, then the bytes.
    Bytes = 11,
    /// Fields until a zero byte; unions and exceptions too.
    Struct = 12,
    /// Key type, value type, i32 count, pairs.
    Map = 13,
    /// Element type, i32 count, elements.
    Set = 14,
    /// As a set.
    List = 15,
}

impl Kind {
    pub(super) const ALL: [Kind; 11] = [
        Kind::Bool,
        Kind::Byte,
        Kind::Double,
        Kind::I16,
        Kind::I32,
        Kind::I64,
        Kind::Bytes,
        Kind::Struct,
        Kind::Map,
        Kind::Set,
        Kind::List,
    ];

    /// The kind with this type byte.
    pub fn of_code(code: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == code)
    }

    /// The fewest bytes a value of this kind takes: what bounds a count before anything is read.
    pub(super) fn least_bytes(self) -> u32 {
        match self {
            Kind::Bool | Kind::Byte | Kind::Struct => 1,
            Kind::I16 => 2,
            Kind::I32 | Kind::Bytes => 4,
            Kind::Set | Kind::List => 5,
            Kind::Map => 6,
            Kind::Double | Kind::I64 => 8,
        }
    }
}

/// One value with everything below it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `bool`
    Bool(bool),
    /// `i8`
    Byte(i8),
    /// `double`
    Double(f64),
    /// `i16`
    I16(i16),
    /// `i32` or an enum.
    I32(i32),
    /// `i64`
    I64(i64),
    /// `string` or `binary`.
    Bytes(Vec<u8>),
    /// A struct, union or exception.
    Struct(Struct),
    /// `map`
    Map(Map),
    /// `set`
    Set(Sequence),
    /// `list`
    List(Sequence),
}

impl Value {
    /// A list; every item must be of `element`'s kind, as for [`Sequence::new`].
    pub fn list<T: Into<Value>>(element: Kind, items: impl IntoIterator<Item = T>) -> Value {
        Value::List(Sequence::new(element, items.into_iter().map(Into::into).collect()))
    }

    /// An empty `map<string, string>`.
    pub fn empty_map() -> Value {
        Value::Map(Map::new(Kind::Bytes, Kind::Bytes, Vec::new()))
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Value::Bool(_) => Kind::Bool,
            Value::Byte(_) => Kind::Byte,
            Value::Double(_) => Kind::Double,
            Value::I16(_) => Kind::I16,
            Value::I32(_) => Kind::I32,
            Value::I64(_) => Kind::I64,
            Value::Bytes(_) => Kind::Bytes,
            Value::Struct(_) => Kind::Struct,
            Value::Map(_) => Kind::Map,
            Value::Set(_) => Kind::Set,
            Value::List(_) => Kind::List,
        }
    }

    /// The bytes of a string or binary.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text of a string that is UTF-8.
    pub fn text(&self) -> Option<&str> {
        self.bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The number of any integer type.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Byte(number) => Some(i64::from(*number)),
            Value::I16(number) => Some(i64::from(*number)),
            Value::I32(number) => Some(i64::from(*number)),
            Value::I64(number) => Some(*number),
            _ => None,
        }
    }

    /// A bool.
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The fields of a struct.
    pub fn fields(&self) -> Option<&Struct> {
        match self {
            Value::Struct(fields) => Some(fields),
            _ => None,
        }
    }

    /// The elements of a list or set.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Value::List(sequence) | Value::Set(sequence) => Some(&sequence.items),
            _ => None,
        }
    }
}

/// Fields by id, in the order they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Struct {
    fields: Vec<(i16, Value)>,
}

impl Struct {
    /// No fields.
    pub fn new() -> Struct {
        Struct::default()
    }

    /// With one more field.
    pub fn with(mut self, id: i16, value: impl Into<Value>) -> Struct {
        self.push(id, value.into());
        self
    }

    pub(super) fn push(&mut self, id: i16, value: Value) {
        self.fields.push((id, value));
    }

    /// The field with this id; the last one when a peer sent several.
    pub fn field(&self, id: i16) -> Option<&Value> {
        self.fields.iter().rev().find(|(at, _)| *at == id).map(|(_, value)| value)
    }

    /// The field at the end of a path of ids through nested structs.
    pub fn at(&self, path: &[i16]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.field(*first)?, |value, id| value.fields()?.field(*id))
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (i16, &Value)> {
        self.fields.iter().map(|(id, value)| (*id, value))
    }
}

impl FromIterator<(i16, Value)> for Struct {
    fn from_iter<T: IntoIterator<Item = (i16, Value)>>(fields: T) -> Struct {
        Struct { fields: fields.into_iter().collect() }
    }
}

/// Elements of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    element: Kind,
    items: Vec<Value>,
}

impl Sequence {
    /// Panics when an item is of another kind: what is written would not be what is read.
    pub fn new(element: Kind, items: Vec<Value>) -> Sequence {
        assert!(
            items.iter().all(|item| item.kind() == element),
            "a list of {element:?} holds something else"
        );
        Sequence { element, items }
    }

    /// The kind of every element.
    pub fn element(&self) -> Kind {
        self.element
    }

    /// The elements.
    pub fn items(&self) -> &[Value] {
        &self.items
    }
}

/// Pairs of one key kind and one value kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    key: Kind,
    value: Kind,
    entries: Vec<(Value, Value)>,
}

impl Map {
    /// Panics when an entry is of other kinds, as [`Sequence::new`] does.
    pub fn new(key: Kind, value: Kind, entries: Vec<(Value, Value)>) -> Map {
        let fits = |entry: &(Value, Value)| entry.0.kind() == key && entry.1.kind() == value;
        assert!(entries.iter().all(fits), "a map of {key:?} to {value:?} holds something else");
        Map { key, value, entries }
    }

    /// The kinds of keys and values.
    pub fn kinds(&self) -> (Kind, Kind) {
        (self.key, self.value)
    }

    /// The pairs in order.
    pub fn entries(&self) -> &[(Value, Value)] {
        &self.entries
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),*) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Value {
                Value::$variant(value)
            }
        })*
    };
}

value_from!(bool => Bool, i8 => Byte, f64 => Double, i16 => I16, i32 => I32, i64 => I64,
    Vec<u8> => Bytes, Struct => Struct, Map => Map);

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Bytes(text.as_bytes().to_vec())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Bytes(text.into_bytes())
    }
}
