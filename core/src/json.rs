//! A small strict JSON reader for rows and options, and a writer for what hosts store.
//!
//! Rows come from storage and options from a host, so everything about them is refused that
//! could be read in two ways. The reader keeps what it must judge later (ill-formed strings,
//! numbers that aren't plain whole ones, members named twice) instead of repairing it.

use alloc::string::String;
use alloc::vec::Vec;

/// Deepest nesting that is read; an unknown member may hold anything.
const MAX_DEPTH: usize = 32;

/// A value that is well-formed JSON, as it stands in its text. What it is, is asked of it.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a>(&'a [u8]);

impl<'a> Value<'a> {
    /// The outer `None`: not a text. The inner one: a text that no host can mean, with a lone
    /// surrogate or bytes that aren't UTF-8.
    pub(crate) fn text(self) -> Option<Option<String>> {
        Reader { rest: self.0 }.text()
    }

    /// A whole number in its plain spelling, at most 2^64-1.
    pub(crate) fn whole(self) -> Option<u64> {
        let digit = |digit: &u8| digit.is_ascii_digit().then(|| u64::from(digit.wrapping_sub(b'0')));
        self.0.iter().try_fold(0_u64, |sum, byte| sum.checked_mul(10)?.checked_add(digit(byte)?))
    }

    /// Any number, a whole one or another.
    pub(crate) fn is_number(self) -> bool {
        self.0.first().is_some_and(|byte| *byte == b'-' || byte.is_ascii_digit())
    }

    pub(crate) fn members(self) -> Option<Members<'a>> {
        if self.0.first() == Some(&b'{') { Reader { rest: self.0 }.entries(MAX_DEPTH).map(Members) } else { None }
    }

    pub(crate) fn items(self) -> Option<impl Iterator<Item = Self>> {
        let items =
            if self.0.first() == Some(&b'[') { Reader { rest: self.0 }.entries(MAX_DEPTH)? } else { return None };
        Some(items.into_iter().map(|(_, item)| item))
    }
}

/// The members of an object in the order in which they stand; a name may stand twice.
pub(crate) struct Members<'a>(Vec<(Option<String>, Value<'a>)>);

impl<'a> Members<'a> {
    /// Takes the first member of that name out. A second one of the name stays behind.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value<'a>> {
        let at = self.0.iter().position(|(found, _)| found.as_deref() == Some(name))?;
        Some(self.0.remove(at).1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_entries(self) -> Vec<(Option<String>, Value<'a>)> {
        self.0
    }
}

/// Reads one object with nothing behind it; `None` if the text is no such thing.
pub(crate) fn read_object(text: &[u8]) -> Option<Members<'_>> {
    let mut reader = Reader { rest: text };
    let value = reader.value(MAX_DEPTH)?;
    reader.space();
    if reader.rest.is_empty() { value.members() } else { None }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Passes over one value, and finds every fault of form in it.
    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        self.space();
        let start = self.rest;
        match self.peek()? {
            b'"' => drop(self.text()?),
            b'{' | b'[' => drop(self.entries(depth.checked_sub(1)?)?),
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => self.number()?,
        }
        start.get(..start.len().checked_sub(self.rest.len())?).map(Value)
    }

    /// An object's members, or a list's items, which have no name.
    fn entries(&mut self, depth: usize) -> Option<Vec<(Option<String>, Value<'a>)>> {
        let mut entries = Vec::new();
        let named = self.byte()? == b'{';
        let end: &[u8] = if named { b"}" } else { b"]" };
        self.space();
        if self.word(end).is_some() {
            return Some(entries);
        }
        loop {
            let mut name = None;
            if named {
                self.space();
                name = self.text()?;
                self.space();
                self.word(b":")?;
            }
            entries.push((name, self.value(depth)?));
            self.space();
            if self.word(b",").is_none() {
                self.word(end)?;
                return Some(entries);
            }
        }
    }

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
        let mut point = self.unit()?;
        if (0xD800..0xDC00).contains(&point) && self.word(b"\\u").is_some() {
            let second = self.unit()?;
            if !(0xDC00..0xE000).contains(&second) {
                return Some(false);
            }
            point = 0x1_0000_u32.wrapping_add((point & 0x3FF) << 10 | second & 0x3FF);
        }
        let Some(character) = char::from_u32(point) else { return Some(false) };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Some(true)
    }

    fn unit(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = (unit << 4) | char::from(self.byte()?).to_digit(16)?;
        }
        Some(unit)
    }

    fn number(&mut self) -> Option<()> {
        let _sign = self.word(b"-");
        let zero = self.peek() == Some(b'0');
        let digits = self.digits()?;
        if zero && digits > 1 {
            return None;
        }
        if self.word(b".").is_some() {
            self.digits()?;
        }
        if self.word(b"e").or_else(|| self.word(b"E")).is_some() {
            let _sign = self.word(b"+").or_else(|| self.word(b"-"));
            self.digits()?;
        }
        Some(())
    }

    /// How many digits were passed over: one at least.
    fn digits(&mut self) -> Option<usize> {
        let before = self.rest.len();
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.byte()?;
        }
        before.checked_sub(self.rest.len()).filter(|digits| *digits > 0)
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.byte();
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
        self.out.push_str(&decimal(value));
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
            '"' | '\\' => out.push('\\'),
            control if control < ' ' => {
                out.push_str(if control < '\u{10}' { "\\u000" } else { "\\u001" });
                out.push(char::from_digit(u32::from(control) & 15, 16).unwrap_or('0'));
                continue;
            }
            _ => {}
        }
        out.push(character);
    }
    out.push('"');
}

/// The plain decimal spelling, without the formatting machinery, which wasm pays for by the kilobyte.
pub(crate) fn decimal(mut number: u64) -> String {
    let mut digits = String::new();
    loop {
        digits.insert(0, char::from_digit(u32::try_from(number % 10).unwrap_or(0), 10).unwrap_or('0'));
        number /= 10;
        if number == 0 {
            return digits;
        }
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
