//! Keychain entries (DESIGN 3.7): a cached DEK with a bound. The check value finds damage, not
//! forgery: the keychain lies inside the trust boundary.

use alloc::string::String;
use alloc::vec::Vec;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::secrets::{Dek, DekKey, wipe};
use crate::text::{MAX_TEXT, push_lp};
use crate::{DekRef, Error, Identity};

/// The longest life of an entry, in seconds: 12 hours.
pub(crate) const MAX_LIFE: u64 = 43_200;

/// How far ahead an entry may have been issued, in seconds.
pub(crate) const MAX_AHEAD: u64 = 300;

/// The longest entry: four names and the reader and session of 1,024 bytes each, and the rest.
pub const MAX_ENTRY: usize = 8_192;

const HEAD: [u8; 4] = [0xF7, 0x43, 1, 0];

/// An entry whose format is sound and whose DEK is the one it names.
pub(crate) struct Entry {
    pub(crate) identity: Identity,
    pub(crate) reader: String,
    pub(crate) session: String,
    pub(crate) dek_ref: DekRef,
    pub(crate) issued: u64,
    pub(crate) expires: u64,
    pub(crate) dek: Dek,
}

impl Entry {
    /// Reads an entry front to back, then checks what it says of its DEK.
    pub(crate) fn read(entry: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader { rest: entry };
        for (expected, error) in
            HEAD.into_iter().zip([Error::Malformed, Error::Malformed, Error::UnsupportedVersion, Error::Malformed])
        {
            if reader.array::<1>()? != [expected] {
                return Err(error);
            }
        }
        let identity = reader.identity()?;
        let who = reader.text()?;
        let session = reader.text()?;
        let dek_ref = DekRef::from(reader.array()?);
        let issued = u64::from_be_bytes(reader.array()?);
        let expires = u64::from_be_bytes(reader.array()?);
        let before = entry.len().saturating_sub(reader.rest.len());
        let mut bytes = Zeroizing::new(reader.array::<{ Dek::LEN }>()?);
        let check = reader.array::<32>()?;
        if !reader.rest.is_empty() {
            return Err(Error::Malformed);
        }
        let dek = Dek::take_unchecked(&mut bytes);
        let before = entry.get(..before).ok_or(Error::Truncated)?;
        if !bool::from(dek.check_value(before).ct_eq(&check)) {
            return Err(Error::AuthFailed);
        }
        if dek.is_zero() || !bool::from(dek.dek_ref(&identity).as_bytes().ct_eq(dek_ref.as_bytes())) {
            return Err(Error::KeyMismatch);
        }
        Ok(Self { identity, reader: who, session, dek_ref, issued, expires, dek })
    }
}

/// Writes an entry.
pub(crate) fn write(key: &DekKey, reader: &str, session: &str, issued: u64, expires: u64) -> Zeroizing<Vec<u8>> {
    // Room for the longest entry, so that the DEK is never left behind in a smaller allocation.
    let mut entry = Zeroizing::new(Vec::with_capacity(MAX_ENTRY));
    entry.extend_from_slice(&HEAD);
    key.identity().push(&mut entry);
    push_lp(&mut entry, reader);
    push_lp(&mut entry, session);
    entry.extend_from_slice(key.dek_ref().as_bytes());
    entry.extend_from_slice(&issued.to_be_bytes());
    entry.extend_from_slice(&expires.to_be_bytes());
    let check = key.dek().check_value(&entry);
    entry.extend_from_slice(key.dek().expose());
    entry.extend_from_slice(&check);
    entry
}

/// Wipes the host's copy of an entry when the import is over, whatever came of it.
pub(crate) struct WipeOnDrop<'a>(pub(crate) &'a mut [u8]);

impl Drop for WipeOnDrop<'_> {
    fn drop(&mut self) {
        wipe(self.0);
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(*array)
    }

    fn identity(&mut self) -> Result<Identity, Error> {
        let [kind] = self.array()?;
        if kind != 1 && kind != 2 {
            return Err(Error::Malformed);
        }
        let version = u32::from_be_bytes(self.array()?);
        if version == 0 {
            return Err(Error::Malformed);
        }
        let org = self.text()?;
        let identity = if kind == 1 {
            for _ in 0..2 {
                if u16::from_be_bytes(self.array()?) != 0 {
                    return Err(Error::Malformed);
                }
            }
            Identity::org(&org, version)
        } else {
            let table = self.text()?;
            Identity::record(&org, &table, &self.text()?, version)
        };
        identity.map_err(|_| Error::Malformed)
    }

    fn text(&mut self) -> Result<String, Error> {
        let len = usize::from(u16::from_be_bytes(self.array()?));
        if len == 0 || len > MAX_TEXT {
            return Err(Error::Malformed);
        }
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(core::str::from_utf8(bytes).map_err(|_| Error::Malformed)?.into())
    }
}
