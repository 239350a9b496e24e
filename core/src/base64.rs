//! Base64 in the two spellings that rows and envelopes have, each value in exactly one way.
//!
//! Only public bytes pass through here (references, wraps, envelopes, coded names), so none of it
//! has to be constant-time.

use alloc::string::String;
use alloc::vec::Vec;

use crate::text::owned;

/// A spelling of base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base64 {
    /// `+`, `/`, and `=` up to a multiple of four characters.
    Standard,
    /// `-`, `_`, and no padding.
    Url,
}

impl Base64 {
    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        let mut text = Vec::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
        // Bits that are not spelt yet, and how many.
        let (mut rest, mut left) = (0_u32, 0_u32);
        for byte in bytes {
            rest = (rest << 8) | u32::from(*byte);
            left = left.wrapping_add(8);
            while left >= 6 {
                left = left.wrapping_sub(6);
                text.push(self.symbol(rest >> left & 63));
            }
        }
        if left > 0 {
            text.push(self.symbol(rest << 6_u32.wrapping_sub(left) & 63));
        }
        while self == Self::Standard && !text.len().is_multiple_of(4) {
            text.push(b'=');
        }
        // Never ill-formed: all of it is ASCII.
        owned(text).unwrap_or_default()
    }

    /// `None` for any other spelling: surplus bits, missing or surplus padding, other characters.
    pub(crate) fn decode(self, text: &str) -> Option<Vec<u8>> {
        let mut symbols = text.as_bytes();
        if self == Self::Standard {
            if !symbols.len().is_multiple_of(4) {
                return None;
            }
            for _ in 0..2 {
                symbols = symbols.strip_suffix(b"=").unwrap_or(symbols);
            }
        }
        let mut bytes = Vec::with_capacity(symbols.len());
        let (mut rest, mut left) = (0_u32, 0_u32);
        for symbol in symbols {
            rest = (rest << 6) | self.value(*symbol)?;
            left = left.wrapping_add(6);
            if left >= 8 {
                left = left.wrapping_sub(8);
                bytes.push((rest >> left).to_le_bytes()[0]);
            }
        }
        // Six bits are a symbol too many; fewer fill up the last one, with zeros.
        let surplus = rest & 1_u32.wrapping_shl(left).wrapping_sub(1);
        if left < 6 && surplus == 0 { Some(bytes) } else { None }
    }

    const fn symbol(self, value: u32) -> u8 {
        let value = value.to_le_bytes()[0];
        match (value, self) {
            (..26, _) => value.wrapping_add(b'A'),
            (26..52, _) => value.wrapping_add(71),
            (52..62, _) => value.wrapping_sub(4),
            (62, Self::Url) => b'-',
            (62, Self::Standard) => b'+',
            (_, Self::Url) => b'_',
            (_, Self::Standard) => b'/',
        }
    }

    fn value(self, symbol: u8) -> Option<u32> {
        let value = match (symbol, self) {
            (b'A'..=b'Z', _) => symbol.wrapping_sub(b'A'),
            (b'a'..=b'z', _) => symbol.wrapping_sub(71),
            (b'0'..=b'9', _) => symbol.wrapping_add(4),
            (b'-', Self::Url) | (b'+', Self::Standard) => 62,
            (b'_', Self::Url) | (b'/', Self::Standard) => 63,
            _ => return None,
        };
        Some(value.into())
    }
}

#[cfg(test)]
mod tests {
    use super::Base64::{Standard, Url};

    #[test]
    fn it_spells_as_rfc_4648_does() {
        for (bytes, standard, url) in [
            ("", "", ""),
            ("f", "Zg==", "Zg"),
            ("fo", "Zm8=", "Zm8"),
            ("foo", "Zm9v", "Zm9v"),
            ("foobar", "Zm9vYmFy", "Zm9vYmFy"),
            ("~~\u{7f}?", "fn5/Pw==", "fn5_Pw"),
            (">>>", "Pj4+", "Pj4-"),
        ] {
            assert_eq!(Standard.encode(bytes.as_bytes()), standard);
            assert_eq!(Url.encode(bytes.as_bytes()), url);
            assert_eq!(Standard.decode(standard).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(Url.decode(url).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn every_byte_at_every_place_comes_back() {
        for byte in 0..=255_u8 {
            for bytes in [&[byte][..], &[0, byte], &[255, byte], &[0, 0, byte], &[byte, 255, 255], &[1, 2, 3, byte]] {
                assert_eq!(Standard.decode(&Standard.encode(bytes)).as_deref(), Some(bytes));
                assert_eq!(Url.decode(&Url.encode(bytes)).as_deref(), Some(bytes));
            }
        }
    }

    #[test]
    fn any_other_spelling_is_refused() {
        for text in [
            "Z",
            "Zg",
            "Zg=",
            "Zg===",
            "Zh==",
            "Zm9=",
            "Zm8",
            "Zm9v=",
            "Zm9v====",
            "=",
            "====",
            "Z===",
            "Zg==Zg==",
            "Zm 9",
            "Zm9-",
            "Zm9_",
            "Zg==\n",
            "Zm9\u{e9}",
        ] {
            assert_eq!(Standard.decode(text), None, "{text}");
        }
        for text in ["Z", "Zh", "Zm9", "Zg==", "Zm8=", "Zm9+", "Zm9/", "Zm9v ", "Zm9vZ", "\u{e9}Zm"] {
            assert_eq!(Url.decode(text), None, "{text}");
        }
    }
}
