//! The local wrap (DESIGN 3.5): a record DEK under the reader's org DEK.

use alloc::sync::Arc;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::row::{Provider, Purpose, RowParts, WrapRow, push_wrap_context};
use crate::base64::Base64;
#[cfg(feature = "external-aead")]
use crate::external::Step;
#[cfg(feature = "external-aead")]
use crate::secrets::Wiped;
use crate::secrets::{Dek, DekKey, IV_LEN, TAG_LEN};
use crate::text::check;
use crate::{DekKind, DekRef, Error, Platform};

const MAGIC: [u8; 2] = [0xF7, 0x57];
const VERSION: u8 = 1;
const SUITE: u8 = 1;

/// Bytes of the head that the AAD begins with.
const HEAD: usize = 36;

const LEN: usize = HEAD + IV_LEN + Dek::LEN + TAG_LEN;

/// A local wrap whose frame is sound and agrees with its row.
pub(crate) struct LocalWrap<'a> {
    row: &'a WrapRow,
    head: &'a [u8; HEAD],
    iv: &'a [u8; IV_LEN],
    ciphertext: &'a [u8],
    tag: &'a [u8; TAG_LEN],
    /// The reader's org DEK.
    pub(crate) kek_ref: &'a [u8; DekRef::LEN],
}

impl<'a> LocalWrap<'a> {
    /// Reads the blob front to back.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a KMS row; the format errors; [`Error::RowInconsistent`] if the row
    /// names another KEK than the blob.
    pub(crate) fn read(row: &'a WrapRow) -> Result<Self, Error> {
        if row.provider() != Provider::Local {
            return Err(Error::BadInput);
        }
        let blob = row.blob();
        let byte = |at: usize| blob.get(at).copied().ok_or(Error::Truncated);
        if byte(0)? != MAGIC[0] || byte(1)? != MAGIC[1] {
            return Err(Error::Malformed);
        }
        if byte(2)? != VERSION {
            return Err(Error::UnsupportedVersion);
        }
        if byte(3)? != SUITE {
            return Err(Error::UnsupportedSuite);
        }
        if blob.len() > LEN {
            return Err(Error::Malformed);
        }
        let (head, rest) = blob.split_first_chunk::<HEAD>().ok_or(Error::Truncated)?;
        let (iv, rest) = rest.split_first_chunk::<IV_LEN>().ok_or(Error::Truncated)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(Error::Truncated)?;
        if ciphertext.len() != Dek::LEN {
            return Err(Error::Truncated);
        }
        let (_, kek_ref) = head.split_last_chunk::<{ DekRef::LEN }>().ok_or(Error::Truncated)?;
        if Base64::Url.decode(row.key_id()).as_deref() != Some(kek_ref) {
            return Err(Error::RowInconsistent);
        }
        Ok(Self { row, head, iv, ciphertext, tag, kek_ref })
    }

    /// Unwraps and checks the DEK against the row.
    ///
    /// # Errors
    /// [`Error::RowInconsistent`] if `kek` is not the reader's org DEK, [`Error::AuthFailed`],
    /// [`Error::KeyMismatch`].
    pub(crate) fn unwrap(&self, kek: &DekKey) -> Result<Arc<DekKey>, Error> {
        let aad = self.aad(kek)?;
        let mut bytes = Zeroizing::new([0; Dek::LEN]);
        kek.decrypt(self.iv, &aad, self.ciphertext, self.tag, &mut *bytes)?;
        admit_unwrapped(self.row, &mut *bytes)
    }

    /// The AAD under the reader's org DEK.
    ///
    /// # Errors
    /// [`Error::RowInconsistent`] if `kek` is not that.
    fn aad(&self, kek: &DekKey) -> Result<Vec<u8>, Error> {
        if !serves_as_kek(kek, self.row.reader()) {
            return Err(Error::RowInconsistent);
        }
        let mut aad = self.head.to_vec();
        push_wrap_context(&mut aad, self.row.parts());
        Ok(aad)
    }

    /// [`Self::unwrap`] as far as the cipher.
    #[cfg(feature = "external-aead")]
    pub(crate) fn step(&self, kek: &Arc<DekKey>) -> Result<Step, Error> {
        let aad = self.aad(kek)?;
        Ok(Step::open(Arc::clone(kek), *self.iv, aad, self.ciphertext, self.tag))
    }
}

/// Takes what a local wrap held, and wipes where it was; it must be the DEK that the row names.
///
/// # Errors
/// [`Error::KeyMismatch`].
pub(crate) fn admit_unwrapped(row: &WrapRow, bytes: &mut [u8]) -> Result<Arc<DekKey>, Error> {
    DekKey::admit(Dek::take(bytes)?, row.parts().identity.clone(), row.dek_ref())
}

/// Wraps a record DEK for `reader` under its org DEK.
///
/// # Errors
/// [`Error::BadInput`] if `key` is an org DEK or `kek` isn't the reader's org DEK.
pub(crate) fn seal_local(
    kek: &DekKey,
    key: &DekKey,
    reader: &str,
    created: u64,
    iv: &[u8; IV_LEN],
) -> Result<WrapRow, Error> {
    let (mut row, aad) = local_row(kek, key, reader, created)?;
    let (mut ciphertext, mut tag) = ([0; Dek::LEN], [0; TAG_LEN]);
    kek.encrypt(iv, &aad, key.dek().expose(), &mut ciphertext, &mut tag)?;
    row.blob.extend_from_slice(iv);
    row.blob.extend_from_slice(&ciphertext);
    row.blob.extend_from_slice(&tag);
    Ok(row.into())
}

/// [`seal_local`] as far as the cipher; its row lacks the IV and what the cipher gives.
#[cfg(feature = "external-aead")]
pub(crate) fn local_step(
    kek: &Arc<DekKey>,
    key: &DekKey,
    reader: &str,
    created: u64,
    iv: [u8; IV_LEN],
) -> Result<(RowParts, Step), Error> {
    let (mut row, aad) = local_row(kek, key, reader, created)?;
    row.blob.extend_from_slice(&iv);
    Ok((row, Step::seal(Arc::clone(kek), iv, aad, Wiped(key.dek().expose().to_vec()))))
}

/// The row up to its IV, and the AAD.
fn local_row(kek: &DekKey, key: &DekKey, reader: &str, created: u64) -> Result<(RowParts, Vec<u8>), Error> {
    check(reader)?;
    let identity = key.identity();
    if identity.kind() != DekKind::Record || !serves_as_kek(kek, reader) {
        return Err(Error::BadInput);
    }
    let purpose = if reader == identity.owner() { Purpose::RecordDek } else { Purpose::Share };
    let mut row = RowParts {
        purpose,
        identity: identity.clone(),
        reader: reader.into(),
        created,
        dek_ref: *key.dek_ref(),
        provider: Provider::Local,
        key_id: kek.dek_ref().to_text(),
        blob: Vec::with_capacity(LEN),
    };
    row.blob.extend_from_slice(&[MAGIC[0], MAGIC[1], VERSION, SUITE]);
    row.blob.extend_from_slice(kek.dek_ref().as_bytes());
    let mut aad = row.blob.clone();
    push_wrap_context(&mut aad, &row);
    Ok((row, aad))
}

/// An IV of its own for each wrap.
pub(crate) fn draw_iv(platform: &dyn Platform, iv: &mut [u8]) -> Result<(), Error> {
    platform.fill(iv).map_err(|_| Error::RngFailure)
}

fn serves_as_kek(kek: &DekKey, reader: &str) -> bool {
    kek.identity().kind() == DekKind::Org && kek.identity().owner() == reader
}
