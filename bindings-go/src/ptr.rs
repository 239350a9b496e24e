//! What crosses the border, and the one place that turns pointers into references.
//!
//! Every function here that is `unsafe` asks the same of its caller, the `extern "C"` shell, as
//! the header asks of the shell's caller: a pointer is null or valid for the length beside it,
//! for the whole call, and nobody writes there meanwhile.

use std::collections::BTreeSet;
use std::slice;
use std::sync::Mutex;

use strongroom::{Binding, DekRef, Error, KmsReply, Vault, VaultOptions, text};

/// A vault. Made by `strongroom_vault_new`, ended by `strongroom_vault_free`; any number of
/// threads may use it at once in between.
pub struct strongroom_vault {
    pub(crate) vault: Vault,
    /// What sign-outs have listed and nobody had room for.
    pub(crate) gone: Mutex<BTreeSet<DekRef>>,
    #[cfg(feature = "hazmat")]
    pub(crate) clock: Option<strongroom::hazmat::TestPlatform>,
}

/// Bytes that a call reads: text is UTF-8 without a final zero. Null with length 0 is empty.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct strongroom_bytes {
    /// The first byte, or null.
    pub data: *const u8,
    /// How many there are.
    pub len: usize,
}

/// Where a value lives: it opens at the binding it was sealed at and nowhere else. Each text is 1
/// to 1,024 bytes. `org` is always the record's owner.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct strongroom_binding {
    /// The owner.
    pub org: strongroom_bytes,
    /// The logical table.
    pub table: strongroom_bytes,
    /// The record.
    pub record: strongroom_bytes,
    /// The logical field.
    pub field: strongroom_bytes,
    /// The revision, if `has_revision` is 1.
    pub revision: u64,
    /// 1 if the binding has a revision, else 0.
    pub has_revision: u8,
}

/// What the KMS answered: the SDK's answer, or the SDK's error name. `data` is null where a
/// member is absent.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct strongroom_reply {
    /// The URL that was really asked, as the SDK resolved it. Mandatory: `BAD_INPUT` without it.
    pub endpoint: strongroom_bytes,
    /// The name of the KMS's error, such as `AccessDeniedException`.
    pub error: strongroom_bytes,
    /// `KeyId`.
    pub key_id: strongroom_bytes,
    /// `Plaintext`: zeroed by the call that takes the reply, whatever comes of it.
    pub plaintext: *mut u8,
    /// The length of `plaintext`.
    pub plaintext_len: usize,
    /// `CiphertextBlob`.
    pub ciphertext_blob: strongroom_bytes,
}

impl strongroom_bytes {
    /// # Safety
    /// `data` is null or valid for `len` bytes for the whole of `'a`.
    pub(crate) unsafe fn slice<'a>(self) -> Result<&'a [u8], Error> {
        match (self.data.is_null(), self.len) {
            (true, 0) => Ok(&[]),
            (true, _) => Err(Error::BadInput),
            // A slice may not be longer; no real object is.
            (false, len) if isize::try_from(len).is_err() => Err(Error::BadInput),
            // SAFETY: not null, and the caller vouches for `len` bytes.
            (false, len) => Ok(unsafe { slice::from_raw_parts(self.data, len) }),
        }
    }

    /// An options object; none at all means the defaults.
    ///
    /// # Safety
    /// As for [`Self::slice`].
    pub(crate) unsafe fn options(self) -> Result<VaultOptions, Error> {
        if self.data.is_null() && self.len == 0 {
            return VaultOptions::from_json(b"{}");
        }
        // SAFETY: the caller's promise is passed on.
        VaultOptions::from_json(unsafe { self.slice() }?)
    }

    /// # Safety
    /// As for [`Self::slice`].
    pub(crate) unsafe fn text<'a>(self) -> Result<&'a str, Error> {
        // SAFETY: the caller's promise is passed on.
        text(unsafe { self.slice() }?)
    }

    /// # Safety
    /// As for [`Self::slice`].
    unsafe fn optional_text<'a>(self) -> Result<Option<&'a str>, Error> {
        if self.data.is_null() && self.len == 0 {
            return Ok(None);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { self.text() }.map(Some)
    }
}

/// # Safety
/// `vault` is null or came from `strongroom_vault_new` and was not freed.
pub(crate) unsafe fn vault<'a>(vault: *const strongroom_vault) -> Result<&'a Vault, Error> {
    // SAFETY: the caller's promise is passed on.
    unsafe { handle(vault) }.map(|handle| &handle.vault)
}

/// # Safety
/// As for [`vault`].
pub(crate) unsafe fn handle<'a>(vault: *const strongroom_vault) -> Result<&'a strongroom_vault, Error> {
    // SAFETY: the caller's promise is passed on.
    unsafe { vault.as_ref() }.ok_or(Error::BadInput)
}

/// # Safety
/// `at` is null or points to a binding whose texts are as for [`strongroom_bytes::slice`].
pub(crate) unsafe fn binding<'a>(at: *const strongroom_binding) -> Result<Binding<'a>, Error> {
    // SAFETY: the caller vouches for the struct and for the texts in it.
    let (at, [org, table, record, field]) = unsafe {
        let at = at.as_ref().ok_or(Error::BadInput)?;
        (at, [at.org.text()?, at.table.text()?, at.record.text()?, at.field.text()?])
    };
    let binding = Binding::new(org, table, record, field)?;
    Ok(if flag(at.has_revision)? { binding.with_revision(at.revision) } else { binding })
}

/// Takes the reply over: its plaintext is wiped when the reply is dropped, and here if a text in
/// it is ill-formed or the endpoint is absent.
///
/// # Safety
/// `reply` is null or points to a reply whose members are as for [`strongroom_bytes::slice`];
/// nobody else uses the plaintext.
pub(crate) unsafe fn reply<'a>(reply: *const strongroom_reply) -> Result<Option<KmsReply<'a>>, Error> {
    // SAFETY: the caller vouches for the struct and for what it points to.
    unsafe {
        let Some(reply) = reply.as_ref() else { return Ok(None) };
        let plaintext = optional_mut(reply.plaintext, reply.plaintext_len)?;
        let endpoint = reply.endpoint.optional_text().and_then(|given| given.ok_or(Error::BadInput));
        let error = reply.error.optional_text();
        let (key_id, blob) = (reply.key_id.optional_text(), reply.ciphertext_blob.slice());
        let blob_given = !reply.ciphertext_blob.data.is_null();
        let taken = KmsReply {
            endpoint: endpoint.unwrap_or_default(),
            error: error.unwrap_or_default(),
            key_id: key_id.unwrap_or_default(),
            plaintext,
            ciphertext_blob: blob.ok().filter(|_| blob_given),
        };
        endpoint.and(error.and(key_id)).and(blob)?;
        Ok(Some(taken))
    }
}

/// # Safety
/// `data` is null or valid for reads and writes of `len` bytes for the whole of `'a`, and nobody
/// else uses them.
pub(crate) unsafe fn optional_mut<'a>(data: *mut u8, len: usize) -> Result<Option<&'a mut [u8]>, Error> {
    match (data.is_null(), len) {
        (true, 0) => Ok(None),
        (true, _) => Err(Error::BadInput),
        (false, len) if isize::try_from(len).is_err() => Err(Error::BadInput),
        // SAFETY: not null, and the caller vouches for `len` bytes.
        (false, len) => Ok(Some(unsafe { slice::from_raw_parts_mut(data, len) })),
    }
}

/// An output of the caller: nothing is written before the call has succeeded.
pub(crate) struct Output {
    dst: *mut u8,
    cap: usize,
    len: *mut usize,
}

impl Output {
    /// An output that needs room for `least` bytes.
    ///
    /// # Safety
    /// `dst` is null or valid for writes of `cap` bytes, `len` is null or valid for a write,
    /// for as long as the output lives.
    pub(crate) unsafe fn new(dst: *mut u8, cap: usize, len: *mut usize, least: usize) -> Result<Self, Error> {
        let missing = (dst.is_null() && cap > 0) || len.is_null();
        if missing || cap < least || isize::try_from(cap).is_err() {
            return Err(Error::BadInput);
        }
        Ok(Self { dst, cap, len })
    }

    /// Writes the result.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() > self.cap {
            return Err(Error::BadInput);
        }
        if !bytes.is_empty() {
            // SAFETY: `new` was promised `cap` bytes at `dst`, and `bytes` is memory of ours.
            unsafe { self.dst.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        }
        self.set_len(bytes.len());
        Ok(())
    }

    /// The room itself, for calls that write in place. `input` may not lie in it.
    pub(crate) fn room(&mut self, input: &[u8]) -> Result<&mut [u8], Error> {
        if self.cap == 0 {
            return Ok(&mut []);
        }
        let (from, to) = (self.dst.addr(), input.as_ptr().addr());
        let apart = from.saturating_add(self.cap) <= to || to.saturating_add(input.len()) <= from;
        if !apart && !input.is_empty() {
            return Err(Error::BadInput);
        }
        // SAFETY: `new` was promised `cap` bytes at `dst`; nothing else refers to them.
        Ok(unsafe { slice::from_raw_parts_mut(self.dst, self.cap) })
    }

    pub(crate) fn set_len(&self, len: usize) {
        // SAFETY: `new` checked for null and was promised that `len` can be written.
        unsafe { self.len.write(len) };
    }

    /// How many bytes the caller has room for.
    pub(crate) const fn cap(&self) -> usize {
        self.cap
    }
}

/// Writes a `dek_ref`.
///
/// # Safety
/// `dst` is null or valid for a write of 32 bytes.
pub(crate) unsafe fn put_dek_ref(dst: *mut u8, dek_ref: &DekRef) {
    // SAFETY: the caller's promise; shells refuse null before they do anything.
    unsafe { dst.copy_from_nonoverlapping(dek_ref.as_bytes().as_ptr(), dek_ref.as_bytes().len()) };
}

/// Refuses a null output before anything is done.
pub(crate) fn present<T>(pointer: *mut T) -> Result<*mut T, Error> {
    if pointer.is_null() { Err(Error::BadInput) } else { Ok(pointer) }
}

/// 0 or 1, nothing else.
pub(crate) const fn flag(byte: u8) -> Result<bool, Error> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::BadInput),
    }
}

/// # Safety
/// `data` is null or valid for reads of `count` numbers for the whole of `'a`.
pub(crate) unsafe fn numbers<'a>(data: *const u32, count: usize) -> Result<&'a [u32], Error> {
    if count == 0 {
        return Ok(&[]);
    }
    if data.is_null() || isize::try_from(count.saturating_mul(size_of::<u32>())).is_err() {
        return Err(Error::BadInput);
    }
    // SAFETY: not null, and the caller vouches for `count` numbers.
    Ok(unsafe { slice::from_raw_parts(data, count) })
}
