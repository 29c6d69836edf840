//! Reading AMQP values: services and their versions differ in how wide a number is and whether a word is a symbol.

use fe2o3_amqp::types::primitives::{OrderedMap, SimpleValue, Value};

pub(super) type Map = OrderedMap<Value, Value>;

/// The entry of that name.
pub(super) fn get<'a>(map: &'a Map, key: &str) -> Option<&'a Value> {
    map.iter().find(|(name, _)| text(name).as_deref() == Some(key)).map(|(_, value)| value)
}

pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Symbol(symbol) => Some(symbol.as_str().to_owned()),
        _ => None,
    }
}

pub(super) fn integer(value: &Value) -> Option<i64> {
    Some(match value {
        Value::Byte(number) => (*number).into(),
        Value::Short(number) => (*number).into(),
        Value::Int(number) => (*number).into(),
        Value::Long(number) => *number,
        Value::Ubyte(number) => (*number).into(),
        Value::Ushort(number) => (*number).into(),
        Value::Uint(number) => (*number).into(),
        Value::Ulong(number) => i64::try_from(*number).ok()?,
        Value::Timestamp(time) => time.milliseconds(),
        _ => return None,
    })
}

pub(super) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        _ => None,
    }
}

/// A list or array of texts.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::List(list) => list.iter().map(text).collect(),
        Value::Array(array) => array.0.iter().map(text).collect(),
        _ => None,
    }
}

pub(super) fn simple_text(value: &SimpleValue) -> Option<String> {
    match value {
        SimpleValue::String(text) => Some(text.clone()),
        SimpleValue::Symbol(symbol) => Some(symbol.as_str().to_owned()),
        _ => None,
    }
}

pub(super) fn simple_integer(value: &SimpleValue) -> Option<i32> {
    match value {
        SimpleValue::Int(number) => Some(*number),
        SimpleValue::Long(number) => i32::try_from(*number).ok(),
        SimpleValue::Uint(number) => i32::try_from(*number).ok(),
        SimpleValue::Ulong(number) => i32::try_from(*number).ok(),
        SimpleValue::Short(number) => Some((*number).into()),
        SimpleValue::Ushort(number) => Some((*number).into()),
        _ => None,
    }
}
