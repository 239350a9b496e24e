//! The AES-GCM step outside the core, for an agent whose cipher is another's (DESIGN 8, Go).
//!
//! A `_begin` call makes every check of its operation, counts the seal and draws the IV. What it
//! answers hands out the steps one by one; their doer encrypts or decrypts exactly what a step
//! says and says whether that went well. Everything in it is wiped when it is dropped, wherever
//! it stands. A seal that is dropped stays counted: its IV was handed out.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::secrets::{Dek, DekKey, IV_LEN, TAG_LEN, Wiped};
use crate::{Binding, Error};

/// One piece of AES-256-GCM work.
pub struct Step {
    key: Arc<DekKey>,
    iv: [u8; IV_LEN],
    aad: Vec<u8>,
    input: Wiped,
    output: Wiped,
    seals: bool,
}

impl Step {
    pub(crate) fn seal(key: Arc<DekKey>, iv: [u8; IV_LEN], aad: Vec<u8>, plaintext: Wiped) -> Self {
        let output = Wiped(alloc::vec![0; plaintext.0.len().saturating_add(TAG_LEN)]);
        Self { key, iv, aad, input: plaintext, output, seals: true }
    }

    pub(crate) fn open(
        key: Arc<DekKey>,
        iv: [u8; IV_LEN],
        aad: Vec<u8>,
        ciphertext: &[u8],
        tag: &[u8; TAG_LEN],
    ) -> Self {
        let output = Wiped(alloc::vec![0; ciphertext.len()]);
        Self { key, iv, aad, input: Wiped([ciphertext, tag].concat()), output, seals: false }
    }

    /// The key: only for this step.
    #[must_use]
    pub fn key(&self) -> &[u8; Dek::LEN] {
        self.key.dek().expose()
    }

    /// The IV, drawn by the core.
    #[must_use]
    pub const fn iv(&self) -> &[u8; IV_LEN] {
        &self.iv
    }

    /// The additional authenticated data.
    #[must_use]
    pub fn aad(&self) -> &[u8] {
        &self.aad
    }

    /// The plaintext, or the ciphertext and its tag.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        &self.input.0
    }

    /// Where the result belongs: ciphertext and tag, or the plaintext.
    pub fn output(&mut self) -> &mut [u8] {
        &mut self.output.0
    }

    /// Whether it encrypts.
    #[must_use]
    pub const fn seals(&self) -> bool {
        self.seals
    }
}

impl core::fmt::Debug for Step {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Step(..)")
    }
}

/// A binding that outlives a step.
pub(crate) struct Place([String; 4], Option<u64>);

impl Place {
    pub(crate) fn new(at: &Binding<'_>) -> Self {
        Self([at.org(), at.table(), at.record(), at.field()].map(Into::into), at.revision())
    }

    pub(crate) fn binding(&self) -> Result<Binding<'_>, Error> {
        let [org, table, record, field] = &self.0;
        let binding = Binding::new(org, table, record, field)?;
        Ok(self.1.map_or(binding, |revision| binding.with_revision(revision)))
    }
}

/// What comes after a step, from its result.
type Then<'v> = Box<dyn FnOnce(Result<Wiped, Error>) -> Result<External<'v>, Error> + Send + 'v>;

/// An operation that waits for its cipher, or its result.
pub struct External<'v>(State<'v>);

enum State<'v> {
    Waits(Box<Step>, Then<'v>),
    Done(Wiped),
}

impl<'v> External<'v> {
    pub(crate) const fn done(result: Vec<u8>) -> Self {
        Self::of(Wiped(result))
    }

    pub(crate) const fn of(result: Wiped) -> Self {
        Self(State::Done(result))
    }

    pub(crate) fn waits(
        step: Step,
        then: impl FnOnce(Result<Wiped, Error>) -> Result<Self, Error> + Send + 'v,
    ) -> Self {
        Self(State::Waits(Box::new(step), Box::new(then)))
    }

    /// What is to be done now; none if the result is there.
    pub fn step(&mut self) -> Option<&mut Step> {
        match &mut self.0 {
            State::Waits(step, _) => Some(step),
            State::Done(_) => None,
        }
    }

    /// Goes on after the step was done, or, where `ok` is false, failed.
    ///
    /// # Errors
    /// [`Error::AuthFailed`] if the step was to decrypt and failed, and what the operation's plain
    /// form can end with after its cipher; [`Error::Internal`] if no step waits.
    pub fn resume(self, ok: bool) -> Result<Self, Error> {
        let State::Waits(step, then) = self.0 else { return Err(Error::Internal) };
        let Step { output, seals, .. } = *step;
        let failed = if seals { Error::Internal } else { Error::AuthFailed };
        then(if ok { Ok(output) } else { Err(failed) })
    }

    /// The result: an envelope, a plaintext, a batch's reply, a row's JSON or a `dek_ref`, as the
    /// `_begin` call says.
    ///
    /// # Errors
    /// [`Error::Internal`] if a step waits.
    pub fn result(&self) -> Result<&[u8], Error> {
        match &self.0 {
            State::Done(result) => Ok(&result.0),
            State::Waits(..) => Err(Error::Internal),
        }
    }
}

impl core::fmt::Debug for External<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("External(..)")
    }
}
