//! Envelope format version 1, suite 01 (DESIGN 3.3, 3.4). Frozen once released.

use zeroize::Zeroize;

use super::UntrustedHeader;
use crate::secrets::{DekKey, IV_LEN, TAG_LEN, Wiped, wipe};
use crate::{Binding, DekRef, Error};

/// Bytes of the header that the AAD begins with: all before the IV.
pub(crate) const AAD_HEADER: usize = 40;

pub(crate) const OVERHEAD: usize = AAD_HEADER + IV_LEN + TAG_LEN;

const MAGIC: u8 = 0xF7;
const VERSION: u8 = 1;
const SUITE: u8 = 1;
const PADDED: u8 = 1;

/// Padded plaintexts are a multiple of this.
const PAD_BLOCK: usize = 64;
const PAD_MARK: u8 = 0x80;

/// Bytes of ciphertext for a plaintext; padding adds at least its mark.
pub(crate) const fn ciphertext_len(plaintext_len: usize, padded: bool) -> usize {
    if padded { (plaintext_len / PAD_BLOCK).saturating_add(1).saturating_mul(PAD_BLOCK) } else { plaintext_len }
}

/// An envelope whose frame is sound. Nothing of it is authenticated yet.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(super) header: &'a [u8; AAD_HEADER],
    pub(crate) dek_ref: &'a [u8; DekRef::LEN],
    pub(crate) padded: bool,
    pub(super) iv: &'a [u8; IV_LEN],
    pub(super) ciphertext: &'a [u8],
    pub(super) tag: &'a [u8; TAG_LEN],
}

impl<'a> Frame<'a> {
    /// Reads front to back, so that of two faults the one that stands first is named.
    pub(crate) fn read(envelope: &'a [u8], field_limit: usize) -> Result<Self, Error> {
        match envelope.first() {
            Some(&MAGIC) => {}
            _ => return Err(Error::NotAnEnvelope),
        }
        let byte = |at: usize| envelope.get(at).copied().ok_or(Error::Truncated);
        if byte(1)? != VERSION {
            return Err(Error::UnsupportedVersion);
        }
        if byte(2)? != SUITE {
            return Err(Error::UnsupportedSuite);
        }
        let flags = byte(3)?;
        if flags & !PADDED != 0 {
            return Err(Error::Malformed);
        }
        let padded = flags & PADDED != 0;
        let (header, rest) = envelope.split_first_chunk::<AAD_HEADER>().ok_or(Error::Truncated)?;
        let (iv, rest) = rest.split_first_chunk::<IV_LEN>().ok_or(Error::Truncated)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(Error::Truncated)?;
        let (head, announced) = header.split_last_chunk::<4>().ok_or(Error::Truncated)?;
        let announced = u64::from(u32::from_be_bytes(*announced));
        let found = ciphertext.len() as u64;
        if found < announced {
            return Err(Error::Truncated);
        }
        if found > announced || (padded && (found == 0 || !found.is_multiple_of(PAD_BLOCK as u64))) {
            return Err(Error::Malformed);
        }
        if ciphertext.len() > max_ciphertext(field_limit, padded) {
            return Err(Error::Limit);
        }
        let (_, dek_ref) = head.split_last_chunk::<{ DekRef::LEN }>().ok_or(Error::Truncated)?;
        Ok(Self { header, dek_ref, padded, iv, ciphertext, tag })
    }

    pub(crate) fn header(&self) -> UntrustedHeader {
        UntrustedHeader {
            version: VERSION,
            suite: SUITE,
            padded: self.padded,
            dek_ref: DekRef::from(*self.dek_ref),
            ct_len: u32::try_from(self.ciphertext.len()).unwrap_or(u32::MAX),
        }
    }

    /// Bytes that [`Self::open_into`] may need.
    pub(crate) fn max_plaintext(&self) -> usize {
        self.ciphertext.len()
    }

    /// Decrypts into the front of `out` and says how many bytes. `out` must have room for
    /// [`Self::max_plaintext`] bytes if the envelope isn't padded, else for the plaintext.
    /// It is left as it was if anything is wrong.
    ///
    /// # Errors
    /// [`Error::AuthFailed`]; [`Error::BadInput`] if `out` is too short.
    pub(crate) fn open_into(&self, key: &DekKey, binding: &Binding<'_>, out: &mut [u8]) -> Result<usize, Error> {
        if !key.identity().serves(binding) {
            return Err(Error::AuthFailed);
        }
        let aad = binding.aad(self.header);
        if !self.padded {
            let out = out.get_mut(..self.ciphertext.len()).ok_or(Error::BadInput)?;
            key.decrypt(self.iv, &aad, self.ciphertext, self.tag, out)?;
            return Ok(out.len());
        }
        // Where the plaintext ends is known only after decryption, so it is looked for in a
        // buffer of our own: the caller's must stay untouched if the padding is not canonical.
        let mut padded = Wiped(alloc::vec![0; self.ciphertext.len()]);
        key.decrypt(self.iv, &aad, self.ciphertext, self.tag, &mut padded.0)?;
        let plaintext = unpad(&padded.0).ok_or(Error::AuthFailed)?;
        out.get_mut(..plaintext.len()).ok_or(Error::BadInput)?.copy_from_slice(plaintext);
        Ok(plaintext.len())
    }
}

/// Seals into the front of `out` and says how many bytes.
///
/// # Errors
/// [`Error::BadInput`] if `out` is too short; [`Error::Limit`] if the length has no u32.
pub(crate) fn seal_into(
    key: &DekKey,
    binding: &Binding<'_>,
    plaintext: &[u8],
    padded: bool,
    iv: &[u8; IV_LEN],
    out: &mut [u8],
) -> Result<usize, Error> {
    let ct_len = ciphertext_len(plaintext.len(), padded);
    let total = ct_len.saturating_add(OVERHEAD);
    let out = out.get_mut(..total).ok_or(Error::BadInput)?;
    let (header, rest) = out.split_first_chunk_mut::<AAD_HEADER>().ok_or(Error::BadInput)?;
    let (iv_out, rest) = rest.split_first_chunk_mut::<IV_LEN>().ok_or(Error::BadInput)?;
    let (ciphertext, tag_out) = rest.split_last_chunk_mut::<TAG_LEN>().ok_or(Error::BadInput)?;

    *header = frame_header(key.dek_ref(), padded, u32::try_from(ct_len).map_err(|_| Error::Limit)?);
    *iv_out = *iv;
    let aad = binding.aad(header);
    let sealed = if padded {
        let mut block = Wiped(alloc::vec![0; ct_len]);
        pad(plaintext, &mut block.0);
        key.encrypt(iv, &aad, &block.0, ciphertext, tag_out)
    } else {
        key.encrypt(iv, &aad, plaintext, ciphertext, tag_out)
    };
    if sealed.is_err() {
        wipe(out);
    }
    sealed.map(|()| total)
}

pub(super) fn frame_header(dek_ref: &DekRef, padded: bool, ct_len: u32) -> [u8; AAD_HEADER] {
    let mut header = [0; AAD_HEADER];
    if let Some((head, rest)) = header.split_first_chunk_mut()
        && let Some((name, len)) = rest.split_first_chunk_mut()
        && let Some(len) = len.first_chunk_mut()
    {
        *head = [MAGIC, VERSION, SUITE, u8::from(padded)];
        *name = *dek_ref.as_bytes();
        *len = ct_len.to_be_bytes();
    }
    header
}

fn max_ciphertext(field_limit: usize, padded: bool) -> usize {
    ciphertext_len(field_limit, padded)
}

pub(super) fn pad(plaintext: &[u8], block: &mut [u8]) {
    if let Some((text, rest)) = block.split_at_mut_checked(plaintext.len()) {
        text.copy_from_slice(plaintext);
        rest.zeroize();
        if let Some(mark) = rest.first_mut() {
            *mark = PAD_MARK;
        }
    }
}

/// The plaintext before canonical padding: the mark stands in the last block, zeros behind it.
pub(super) fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let end = padded.iter().rposition(|byte| *byte != 0)?;
    let canonical = padded.get(end) == Some(&PAD_MARK) && padded.len().saturating_sub(end) <= PAD_BLOCK;
    if canonical { padded.get(..end) } else { None }
}

#[cfg(test)]
mod tests {
    use super::{ciphertext_len, unpad};

    #[test]
    fn padding_always_adds_its_mark() {
        for (len, padded) in [(0, 64), (1, 64), (63, 64), (64, 128), (127, 128), (128, 192)] {
            assert_eq!(ciphertext_len(len, true), padded);
            assert_eq!(ciphertext_len(len, false), len);
        }
    }

    #[test]
    fn only_canonical_padding_is_taken_off() {
        let mut block = [0; 128];
        assert_eq!(unpad(&block), None);
        block[63] = 0x80;
        assert_eq!(unpad(&block), None, "a whole block of padding too much");
        block[64] = 0x80;
        assert_eq!(unpad(&block), Some(&block[..64]));
        block[127] = 0x80;
        assert_eq!(unpad(&block), Some(&block[..127]));
        block[127] = 0x81;
        assert_eq!(unpad(&block), None);
    }
}
