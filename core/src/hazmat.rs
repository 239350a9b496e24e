//! Test only: bare DEKs, fixed IVs, clocks that are set, a generator that fails, the bare cipher.
//! No release has this module; the name is a warning.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroizing;

use crate::envelope::{AAD_HEADER, Frame, seal_into, sealed_len};
use crate::json::{Value, read_object};
use crate::secrets::{Dek, DekKey, IV_LEN, TAG_LEN};
use crate::sync::Lock;
use crate::wrap::{LocalWrap, MAX_CREATED, Purpose, draw_iv, seal_local};
use crate::{Binding, DEFAULT_FIELD_LIMIT, DekRef, Error, Identity, OsPlatform, Platform, WrapRow};

static RNG_OK: AtomicBool = AtomicBool::new(true);

/// While `ok` is false, every generator of this module fails.
pub fn set_rng_ok(ok: bool) {
    RNG_OK.store(ok, Ordering::SeqCst);
}

/// A platform whose clocks are set. Clones share them.
#[derive(Clone)]
pub struct TestPlatform {
    clocks: Arc<Lock<(u64, u64)>>,
    os: Arc<OsPlatform>,
}

impl TestPlatform {
    /// Clocks that stand at these seconds.
    #[must_use]
    pub fn new(wall: u64, mono: u64) -> Self {
        Self { clocks: Arc::new(Lock::new((wall, mono))), os: Arc::new(OsPlatform::new()) }
    }

    /// Sets both clocks.
    pub fn set_clock(&self, wall: u64, mono: u64) {
        if let Ok(mut clocks) = self.clocks.lock() {
            *clocks = (wall, mono);
        }
    }
}

impl Platform for TestPlatform {
    fn wall(&self) -> u64 {
        self.clocks.lock().map_or(0, |clocks| clocks.0)
    }

    fn mono(&self) -> u64 {
        self.clocks.lock().map_or(0, |clocks| clocks.1)
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        if RNG_OK.load(Ordering::SeqCst) { self.os.fill(bytes) } else { Err(Error::RngFailure) }
    }
}

impl Identity {
    /// Reads `{kind: "org", org, version}` or `{kind: "record", org, version, table, record}`.
    ///
    /// # Errors
    /// [`Error::BadInput`] for anything else; [`Error::Limit`] for a string that is too long.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let mut members = read_object(json).ok_or(Error::BadInput)?;
        let mut text = |name: &str| members.take(name).and_then(Value::text).flatten().ok_or(Error::BadInput);
        let kind = text("kind")?;
        let org = text("org")?;
        let place = if kind == "record" { Some((text("table")?, text("record")?)) } else { None };
        let version = members.take("version").and_then(Value::whole).ok_or(Error::BadInput)?;
        let version = u32::try_from(version).map_err(|_| Error::BadInput)?;
        if !members.is_empty() || (kind != "org" && kind != "record") {
            return Err(Error::BadInput);
        }
        match place {
            None => Self::org(&org, version),
            Some((table, record)) => Self::record(&org, &table, &record, version),
        }
    }
}

/// The `dek_ref` of a bare DEK.
///
/// # Errors
/// [`Error::BadInput`] if `key` is not 32 bytes, or all zero.
pub fn dek_ref(key: &[u8], identity: &Identity) -> Result<DekRef, Error> {
    Ok(bare(key)?.dek_ref(identity))
}

/// The AAD over 40 bytes of header, whatever is in them.
///
/// # Errors
/// [`Error::BadInput`] if `header` is not 40 bytes.
pub fn binding_aad(header: &[u8], binding: &Binding<'_>) -> Result<Vec<u8>, Error> {
    let header: &[u8; AAD_HEADER] = header.try_into().map_err(|_| Error::BadInput)?;
    Ok(binding.aad(header))
}

/// Seals under a bare DEK, with a given IV or a random one.
///
/// # Errors
/// [`Error::BadInput`] for a key, an IV or a DEK that doesn't serve the binding; [`Error::Limit`].
pub fn seal(
    key: &[u8],
    identity: &Identity,
    binding: &Binding<'_>,
    plaintext: &[u8],
    padded: bool,
    iv: Option<&[u8]>,
) -> Result<Vec<u8>, Error> {
    let key = bare_key(key, identity)?;
    if plaintext.len() > DEFAULT_FIELD_LIMIT {
        return Err(Error::Limit);
    }
    if !identity.serves(binding) {
        return Err(Error::BadInput);
    }
    let mut out = alloc::vec![0; sealed_len(plaintext.len(), padded)];
    seal_into(&key, binding, plaintext, padded, &given_iv(iv)?, &mut out)?;
    Ok(out)
}

/// Opens under a bare DEK.
///
/// # Errors
/// As [`crate::Vault::open`]; [`Error::UnknownDek`] if the envelope names another DEK.
pub fn open(
    key: &[u8],
    identity: &Identity,
    binding: &Binding<'_>,
    envelope: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    open_under(&*bare_key(key, identity)?, binding, envelope).map(|(plaintext, _)| plaintext)
}

/// `n` envelopes of the empty plaintext, their IVs drawn in one call.
///
/// # Errors
/// As [`seal`]; [`Error::Limit`] for more than 10,000.
pub fn seal_many(key: &[u8], identity: &Identity, binding: &Binding<'_>, n: usize) -> Result<Vec<Vec<u8>>, Error> {
    let key = bare_key(key, identity)?;
    if n > crate::MAX_BATCH {
        return Err(Error::Limit);
    }
    if !identity.serves(binding) {
        return Err(Error::BadInput);
    }
    let mut ivs = alloc::vec![0; n.saturating_mul(IV_LEN)];
    platform().fill(&mut ivs)?;
    let (ivs, _) = ivs.as_chunks::<IV_LEN>();
    ivs.iter()
        .map(|iv| {
            let mut out = alloc::vec![0; sealed_len(0, false)];
            seal_into(&key, binding, &[], false, iv, &mut out)?;
            Ok(out)
        })
        .collect()
}

/// Opens under one bare DEK and seals under another, padded if the envelope was.
///
/// # Errors
/// Those of [`open`], then those of [`seal`].
pub fn reseal(
    from: (&[u8], &Identity),
    to: (&[u8], &Identity),
    binding: &Binding<'_>,
    envelope: &[u8],
) -> Result<Vec<u8>, Error> {
    let from_key = bare_key(from.0, from.1)?;
    bare(to.0)?;
    let (plaintext, padded) = open_under(&from_key, binding, envelope)?;
    seal(to.0, to.1, binding, &plaintext, padded, None)
}

/// A local wrap of bare DEKs: `kek` and `key` with their identities.
///
/// # Errors
/// [`Error::BadInput`] if purpose, reader and DEKs are at odds.
pub fn wrap_local(
    kek: (&[u8], &Identity),
    key: (&[u8], &Identity),
    purpose: &str,
    reader: &str,
    created: u64,
    iv: Option<&[u8]>,
) -> Result<WrapRow, Error> {
    let (kek, key) = wrappable(kek, key, purpose, reader, created)?;
    seal_local(&kek, &key, reader, created, &given_iv(iv)?)
}

/// Unwraps a local row with a bare KEK and opens `envelope` with what came out.
///
/// # Errors
/// Those of a local wrap; [`Error::UnknownDek`] if the row names another KEK; those of [`open`].
pub fn unwrap_local(
    kek: (&[u8], &Identity),
    row: &WrapRow,
    binding: &Binding<'_>,
    envelope: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let kek = bare_key(kek.0, kek.1)?;
    let wrap = LocalWrap::read(row)?;
    if wrap.kek_ref != kek.dek_ref().as_bytes() {
        return Err(Error::UnknownDek);
    }
    open_under(&*wrap.unwrap(&kek)?, binding, envelope).map(|(plaintext, _)| plaintext)
}

/// AES-256-GCM alone: ciphertext and tag.
///
/// # Errors
/// [`Error::BadInput`] for a key that is not 32 or an IV that is not 12 bytes.
pub fn gcm_seal(key: &[u8], iv: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    let key = cipher(key)?;
    let iv: &[u8; IV_LEN] = iv.try_into().map_err(|_| Error::BadInput)?;
    let mut out = alloc::vec![0; plaintext.len()];
    let mut tag = [0; TAG_LEN];
    key.encrypt(iv, aad, plaintext, &mut out, &mut tag)?;
    out.extend_from_slice(&tag);
    Ok(out)
}

/// AES-256-GCM alone: the plaintext of ciphertext and tag.
///
/// # Errors
/// As [`gcm_seal`]; [`Error::AuthFailed`].
pub fn gcm_open(key: &[u8], iv: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
    let key = cipher(key)?;
    let iv: &[u8; IV_LEN] = iv.try_into().map_err(|_| Error::BadInput)?;
    let (ciphertext, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(Error::AuthFailed)?;
    let mut out = alloc::vec![0; ciphertext.len()];
    key.decrypt(iv, aad, ciphertext, tag, &mut out)?;
    Ok(out)
}

/// What is judged of a local wrap before it is made.
pub(crate) fn wrappable(
    kek: (&[u8], &Identity),
    key: (&[u8], &Identity),
    purpose: &str,
    reader: &str,
    created: u64,
) -> Result<(Arc<DekKey>, Arc<DekKey>), Error> {
    crate::text::check(purpose)?;
    crate::text::check(reader)?;
    let (kek, key) = (bare_key(kek.0, kek.1)?, bare_key(key.0, key.1)?);
    if created > MAX_CREATED {
        return Err(Error::BadInput);
    }
    let expected = if reader == key.identity().owner() { Purpose::RecordDek } else { Purpose::Share };
    if Purpose::from_name(purpose) != Some(expected) {
        return Err(Error::BadInput);
    }
    Ok((kek, key))
}

/// A key for the bare cipher: published test cases use all-zero ones too.
fn cipher(key: &[u8]) -> Result<Arc<DekKey>, Error> {
    let mut bytes: [u8; Dek::LEN] = key.try_into().map_err(|_| Error::BadInput)?;
    Ok(DekKey::new(Dek::take_unchecked(&mut bytes), Identity::org("hazmat", 1)?))
}

fn open_under(key: &DekKey, binding: &Binding<'_>, envelope: &[u8]) -> Result<(Zeroizing<Vec<u8>>, bool), Error> {
    let frame = Frame::read(envelope, DEFAULT_FIELD_LIMIT)?;
    if frame.dek_ref != key.dek_ref().as_bytes() {
        return Err(Error::UnknownDek);
    }
    let mut out = Zeroizing::new(alloc::vec![0; frame.max_plaintext()]);
    let len = frame.open_into(key, binding, &mut out)?;
    out.truncate(len);
    Ok((out, frame.padded))
}

pub(crate) fn bare(key: &[u8]) -> Result<Dek, Error> {
    Dek::take(&mut key.to_vec()).map_err(|_| Error::BadInput)
}

pub(crate) fn bare_key(key: &[u8], identity: &Identity) -> Result<Arc<DekKey>, Error> {
    Ok(DekKey::new(bare(key)?, identity.clone()))
}

pub(crate) fn given_iv(iv: Option<&[u8]>) -> Result<[u8; IV_LEN], Error> {
    let Some(iv) = iv else {
        let mut iv = [0; IV_LEN];
        return draw_iv(&platform(), &mut iv).map(|()| iv);
    };
    iv.try_into().map_err(|_| Error::BadInput)
}

pub(crate) fn platform() -> TestPlatform {
    TestPlatform::new(0, 0)
}
