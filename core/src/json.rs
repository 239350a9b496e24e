//! A small strict JSON reader for rows and options, and a writer for what hosts store.
//!
//! Rows come from storage and options from a host, so everything about them is refused that
//! could be read in two ways. The reader keeps what it must judge later (ill-formed strings,
//! numbers that aren't plain whole ones, members named twice) instead of repairing it.

use alloc::string::String;
use alloc::vec::Vec;

/// Deepest nesting: options hold an object of lists.
const MAX_DEPTH: usize = 4;

pub(crate) enum Value {
    /// `None`: ill-formed, a lone surrogate or bytes that aren't UTF-8.
    Text(Option<String>),
    /// A whole number in its plain spelling, at most 2^64-1.
    Whole(u64),
    /// Any other number: negative, fractional, with an exponent, too large.
    OtherNumber,
    Bool,
    Null,
    List(Vec<Value>),
    Object(Members),
}

/// The members of an object in the order in which they stand; a name may stand twice.
pub(crate) struct Members(Vec<(Option<String>, Value)>);

impl Members {
    /// Takes the first member of that name out. A second one of the name stays behind.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(found, _)| found.as_deref() == Some(name))?;
        Some(self.0.remove(at).1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_entries(self) -> Vec<(Option<String>, Value)> {
        self.0
    }
}

/// Reads one object with nothing behind it; `None` if the text is no such thing.
pub(crate) fn read_object(text: &[u8]) -> Option<Members> {
    let mut reader = Reader { rest: text };
    let value = reader.value(MAX_DEPTH)?;
    reader.space();
    match value {
        Value::Object(members) if reader.rest.is_empty() => Some(members),
        _ => None,
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        self.space();
        match self.peek()? {
            b'"' => self.text().map(Value::Text),
            b'{' => self.object(depth.checked_sub(1)?).map(|members| Value::Object(Members(members))),
            b'[' => self.list(depth.checked_sub(1)?).map(Value::List),
            b't' => self.word(b"true").map(|()| Value::Bool),
            b'f' => self.word(b"false").map(|()| Value::Bool),
            b'n' => self.word(b"null").map(|()| Value::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Vec<(Option<String>, Value)>> {
        let mut members = Vec::new();
        self.word(b"{")?;
        self.space();
        if self.word(b"}").is_some() {
            return Some(members);
        }
        loop {
            self.space();
            let name = self.text()?;
            self.space();
            self.word(b":")?;
            members.push((name, self.value(depth)?));
            self.space();
            if self.word(b",").is_none() {
                self.word(b"}")?;
                return Some(members);
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        self.word(b"[")?;
        self.space();
        if self.word(b"]").is_some() {
            return Some(items);
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            if self.word(b",").is_none() {
                self.word(b"]")?;
                return Some(items);
            }
        }
    }

    /// The outer `None`: not a string. The inner one: a string that no host can mean.
    fn text(&mut self) -> Option<Option<String>> {
        self.word(b"\"")?;
        let mut bytes = Vec::new();
        let mut well_formed = true;
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => well_formed &= self.escape(&mut bytes)?,
                control if control < 0x20 => return None,
                byte => bytes.push(byte),
            }
        }
        Some(String::from_utf8(bytes).ok().filter(|_| well_formed))
    }

    /// Appends what an escape means; `false` for a surrogate without its partner.
    fn escape(&mut self, out: &mut Vec<u8>) -> Option<bool> {
        let byte = match self.byte()? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.code_point(out),
            _ => return None,
        };
        out.push(byte);
        Some(true)
    }

    fn code_point(&mut self, out: &mut Vec<u8>) -> Option<bool> {
        let first = self.unit()?;
        let mut units = [first, 0];
        let mut used = 1;
        if (0xD800..0xDC00).contains(&first) && self.rest.starts_with(b"\\u") {
            self.rest = self.rest.get(2..)?;
            units = [first, self.unit()?];
            used = 2;
        }
        for decoded in char::decode_utf16(units.into_iter().take(used)) {
            match decoded {
                Ok(character) => {
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Err(_) => return Some(false),
            }
        }
        Some(true)
    }

    fn unit(&mut self) -> Option<u16> {
        let mut unit = 0_u16;
        for _ in 0..4 {
            let digit = char::from(self.byte()?).to_digit(16)?;
            unit = (unit << 4) | u16::try_from(digit).ok()?;
        }
        Some(unit)
    }

    fn number(&mut self) -> Option<Value> {
        let negative = self.word(b"-").is_some();
        let whole = self.digits();
        let leading_zero = whole.len() > 1 && whole.first() == Some(&b'0');
        if whole.is_empty() || leading_zero {
            return None;
        }
        let mut plain = !negative;
        if self.word(b".").is_some() {
            plain = false;
            if self.digits().is_empty() {
                return None;
            }
        }
        if self.word(b"e").or_else(|| self.word(b"E")).is_some() {
            plain = false;
            let _sign = self.word(b"+").or_else(|| self.word(b"-"));
            if self.digits().is_empty() {
                return None;
            }
        }
        let number = whole
            .iter()
            .try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0'))));
        Some(number.filter(|_| plain).map_or(Value::OtherNumber, Value::Whole))
    }

    fn digits(&mut self) -> Vec<u8> {
        let mut digits = Vec::new();
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            digits.push(digit);
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        digits
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }
}

/// Writes one JSON object, members in the order of the calls.
pub(crate) struct Writer {
    out: String,
}

impl Writer {
    pub(crate) fn object() -> Self {
        Self { out: String::from("{") }
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        push_text(&mut self.out, value);
    }

    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        push_number(&mut self.out, value);
    }

    pub(crate) fn boolean(&mut self, name: &str, value: bool) {
        self.name(name);
        self.out.push_str(if value { "true" } else { "false" });
    }

    /// A member whose value is JSON already.
    pub(crate) fn raw(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.push_str(value);
    }

    pub(crate) fn end(mut self) -> String {
        self.out.push('}');
        self.out
    }

    fn name(&mut self, name: &str) {
        if self.out.len() > 1 {
            self.out.push(',');
        }
        push_text(&mut self.out, name);
        self.out.push(':');
    }
}

/// A JSON list of values that are JSON already.
pub(crate) fn list<T>(items: impl IntoIterator<Item = T>, to_json: impl Fn(&T) -> String) -> String {
    let mut out = String::from("[");
    for item in items {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&to_json(&item));
    }
    out.push(']');
    out
}

fn push_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                out.push_str("\\u00");
                out.push(if control < '\u{10}' { '0' } else { '1' });
                out.push(char::from_digit(u32::from(control) & 15, 16).unwrap_or('0'));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

fn push_number(out: &mut String, number: u64) {
    out.push_str(&decimal(number));
}

/// The plain decimal spelling, without the formatting machinery, which wasm pays for by the kilobyte.
pub(crate) fn decimal(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit(u32::try_from(number % 10).unwrap_or(0), 10).unwrap_or('0'));
        number /= 10;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
