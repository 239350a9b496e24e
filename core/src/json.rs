//! A small strict JSON reader for rows and options, and a writer for what hosts store.
//!
//! Rows come from storage and options from a host, so everything about them is refused that
//! could be read in two ways. The reader keeps what it must judge later (ill-formed strings,
//! numbers that aren't plain whole ones, members named twice) instead of repairing it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::DekRef;
use crate::text::owned;

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

    fn is_text(&self) -> bool {
        self.0.first() == Some(&b'"')
    }

    pub(crate) fn members(self) -> Option<Members<'a>> {
        self.entries(b'{').map(Members)
    }

    /// The items of a list; none has a name.
    pub(crate) fn items(self) -> Option<Vec<Entry<'a>>> {
        self.entries(b'[')
    }

    fn entries(self, open: u8) -> Option<Vec<Entry<'a>>> {
        if self.0.first() == Some(&open) { Reader { rest: self.0 }.entries(MAX_DEPTH) } else { None }
    }
}

/// A member's name and value, or nothing and an item.
pub(crate) type Entry<'a> = (Value<'a>, Value<'a>);

/// The members of an object in the order in which they stand; a name may stand twice.
pub(crate) struct Members<'a>(Vec<Entry<'a>>);

impl<'a> Members<'a> {
    /// Takes the first member of that name out. A second one of the name stays behind.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value<'a>> {
        let at = self.0.iter().position(|(found, _)| found.text().flatten().as_deref() == Some(name))?;
        Some(self.0.remove(at).1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_entries(self) -> Vec<Entry<'a>> {
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
    fn entries(&mut self, depth: usize) -> Option<Vec<Entry<'a>>> {
        let mut entries = Vec::new();
        let named = self.byte()? == b'{';
        let end: &[u8] = if named { b"}" } else { b"]" };
        self.space();
        if self.word(end).is_some() {
            return Some(entries);
        }
        loop {
            let mut name = Value(&[]);
            if named {
                name = self.value(0).filter(Value::is_text)?;
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
        let mut sound = true;
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => sound &= self.escape(&mut bytes)?,
                control if control < 0x20 => return None,
                byte => bytes.push(byte),
            }
        }
        Some(if sound { owned(bytes) } else { None })
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

/// Writes JSON, in the order of the calls. Whatever is opened is closed by the caller.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn object() -> Self {
        Self(b"{".to_vec())
    }

    pub(crate) fn list() -> Self {
        Self(b"[".to_vec())
    }

    /// Opens an object in a list.
    pub(crate) fn open_item(&mut self) {
        self.comma();
        self.0.push(b'{');
    }

    /// Opens an object that is a member.
    pub(crate) fn open(&mut self, name: &str) {
        self.name(name);
        self.0.push(b'{');
    }

    /// Closes the object that was opened last.
    pub(crate) fn close(&mut self) {
        self.0.push(b'}');
    }

    /// A text in a list.
    pub(crate) fn item_text(&mut self, value: &str) {
        self.comma();
        self.push_text(value);
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.push_text(value);
    }

    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        self.push(&decimal(value));
    }

    pub(crate) fn boolean(&mut self, name: &str, value: bool) {
        self.name(name);
        self.push(if value { "true" } else { "false" });
    }

    pub(crate) fn dek_ref(&mut self, value: &DekRef) {
        self.text("dekRef", &value.to_text());
    }

    /// The whole, closed.
    pub(crate) fn end(mut self) -> String {
        self.0.push(if self.0.first() == Some(&b'{') { b'}' } else { b']' });
        // Never ill-formed: whole texts went in, and ASCII between them.
        owned(self.0).unwrap_or_default()
    }

    #[inline(never)]
    fn comma(&mut self) {
        if !matches!(self.0.last(), Some(b'{' | b'[')) {
            self.0.push(b',');
        }
    }

    #[inline(never)]
    fn name(&mut self, name: &str) {
        self.comma();
        self.push_text(name);
        self.0.push(b':');
    }

    fn push(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    fn push_text(&mut self, text: &str) {
        self.0.push(b'"');
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => self.0.push(b'\\'),
                ..b' ' => {
                    self.push(if byte < 0x10 { "\\u000" } else { "\\u001" });
                    self.0.push(hex(byte));
                    continue;
                }
                _ => {}
            }
            self.0.push(byte);
        }
        self.0.push(b'"');
    }
}

/// The digit of the lower four bits.
pub(crate) const fn hex(byte: u8) -> u8 {
    let digit = byte & 15;
    digit.wrapping_add(if digit < 10 { b'0' } else { b'a' - 10 })
}

/// The plain decimal spelling, without the formatting machinery, which wasm pays for by the kilobyte.
pub(crate) fn decimal(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.insert(0, hex((number % 10).to_le_bytes()[0]));
        number /= 10;
        if number == 0 {
            return owned(digits).unwrap_or_default();
        }
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
