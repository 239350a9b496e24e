//! Seal, open, reseal and rebind of one field.

use alloc::sync::Arc;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::Vault;
use super::batch::{Item, Work};
use super::state::State;
use crate::envelope::Frame;
use crate::secrets::{DekKey, Wiped};
use crate::wrap::draw_iv;
use crate::{Binding, DekKind, DekRef, Error};

/// Which kind of DEK a value is sealed under. Never picked silently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The org's active DEK.
    #[default]
    Org,
    /// The highest version of the record's own DEK that the vault has ever seen.
    Record,
}

/// How a value is sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealOptions {
    /// Under which kind of DEK.
    pub scope: Scope,
    /// Whether to hide the length, up to 64 bytes. Costs up to 64 bytes.
    pub padded: bool,
}

/// What a reseal changes; `None` keeps what the envelope has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResealOptions {
    /// Under which kind of DEK.
    pub scope: Option<Scope>,
    /// Whether to hide the length.
    pub padded: Option<bool>,
}

impl Vault {
    /// Seals one field for this place.
    ///
    /// # Errors
    /// [`Error::Limit`] above the field limit; [`Error::OrgTombstoned`]; [`Error::NoActiveDek`];
    /// [`Error::UnknownDek`] and what the DEK is over by; [`Error::RowInconsistent`],
    /// [`Error::ActiveRollback`] for the `active` row; [`Error::BudgetExhausted`]; [`Error::RngFailure`].
    pub fn seal(&self, binding: &Binding<'_>, plaintext: &[u8], options: SealOptions) -> Result<Vec<u8>, Error> {
        let item = Item::new(*binding, plaintext, Work::Seal(options));
        let mut out = alloc::vec![0; item.room()];
        self.one(&item, &mut out)?;
        Ok(out)
    }

    /// [`Self::seal`] into the front of a buffer of the caller's; says how many bytes. It needs
    /// [`crate::sealed_len`] bytes.
    ///
    /// # Errors
    /// As [`Self::seal`]; [`Error::BadInput`] if `out` is too short. `out` is unchanged after an error.
    pub fn seal_into(
        &self,
        binding: &Binding<'_>,
        plaintext: &[u8],
        options: SealOptions,
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let item = Item::new(*binding, plaintext, Work::Seal(options));
        if out.len() < item.room() {
            return Err(Error::BadInput);
        }
        self.one(&item, out)
    }

    /// Opens one field. `binding` is where the host found it, with the *owner's* org.
    ///
    /// # Errors
    /// [`Error::OrgTombstoned`]; the format errors; [`Error::Limit`]; [`Error::UnknownDek`] and what the
    /// DEK is over by; [`Error::AuthFailed`] for a wrong place or changed bytes, never more precise.
    pub fn open(&self, binding: &Binding<'_>, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let item = Item::new(*binding, envelope, Work::Open);
        let mut out = Zeroizing::new(alloc::vec![0; item.room()]);
        let len = self.one(&item, &mut out)?;
        out.truncate(len);
        Ok(out)
    }

    /// [`Self::open`] into the front of a buffer of the caller's; says how many bytes. Room for the
    /// envelope's length less 68 is always enough.
    ///
    /// # Errors
    /// As [`Self::open`]; [`Error::BadInput`] if `out` is too short. `out` is unchanged after an error.
    pub fn open_into(&self, binding: &Binding<'_>, envelope: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.one(&Item::new(*binding, envelope, Work::Open), out)
    }

    /// Opens and seals again at the same place: under the active DEK or the record's highest one.
    /// The plaintext doesn't leave the core.
    ///
    /// # Errors
    /// Those of [`Self::open`], then those of [`Self::seal`].
    pub fn reseal(&self, binding: &Binding<'_>, envelope: &[u8], options: ResealOptions) -> Result<Vec<u8>, Error> {
        self.move_to(binding, binding, envelope, options)
    }

    /// Opens at one place and seals at another of the same org, a record envelope only within its
    /// record. Padding and kind of DEK stay. The plaintext doesn't leave the core.
    ///
    /// # Errors
    /// [`Error::BadInput`] for another org, or a record envelope and another record; those of
    /// [`Self::open`], then those of [`Self::seal`].
    pub fn rebind(&self, from: &Binding<'_>, to: &Binding<'_>, envelope: &[u8]) -> Result<Vec<u8>, Error> {
        self.move_to(from, to, envelope, ResealOptions::default())
    }

    fn move_to(
        &self,
        from: &Binding<'_>,
        to: &Binding<'_>,
        envelope: &[u8],
        options: ResealOptions,
    ) -> Result<Vec<u8>, Error> {
        let (frame, options) = self.check_move(from, to, envelope, options)?;
        let mut plaintext = Wiped(alloc::vec![0; frame.max_plaintext()]);
        let len = self.one(&Item::new(*from, envelope, Work::Open), &mut plaintext.0)?;
        let plaintext = plaintext.0.get(..len).ok_or(Error::Internal)?;
        self.seal(to, plaintext, options)
    }

    /// What is judged of a move before anything is opened, and how its result is sealed.
    pub(super) fn check_move<'a>(
        &self,
        from: &Binding<'_>,
        to: &Binding<'_>,
        envelope: &'a [u8],
        options: ResealOptions,
    ) -> Result<(Frame<'a>, SealOptions), Error> {
        let frame = Frame::read(envelope, self.settings.field_limit);
        let (frame, record) = {
            let state = self.enter()?;
            state.check_org(from.org())?;
            if from.org() != to.org() {
                return Err(Error::BadInput);
            }
            let frame = frame?;
            let held = state.deks.get(frame.dek_ref);
            (frame, held.is_some_and(|held| held.identity.kind() == DekKind::Record))
        };
        // A record DEK serves its own record only, so a record envelope can't be bound to another.
        if record && (from.table() != to.table() || from.record() != to.record()) {
            return Err(Error::BadInput);
        }
        let kept = if record { Scope::Record } else { Scope::Org };
        let options =
            SealOptions { scope: options.scope.unwrap_or(kept), padded: options.padded.unwrap_or(frame.padded) };
        Ok((frame, options))
    }

    /// The DEK to seal under, its use counted.
    pub(super) fn sealing_dek(
        &self,
        state: &mut State,
        binding: &Binding<'_>,
        scope: Scope,
    ) -> Result<Arc<DekKey>, Error> {
        let key = state.sealing_dek(binding, scope)?;
        state.count_seal(key.dek_ref(), self.settings.seal_limit)?;
        Ok(key)
    }

    pub(super) fn check_plaintext(&self, plaintext: &[u8]) -> Result<(), Error> {
        if plaintext.len() > self.settings.field_limit { Err(Error::Limit) } else { Ok(()) }
    }

    /// Takes a count back when no IV was drawn.
    pub(super) fn uncount(&self, dek_ref: &DekRef) {
        if let Ok(mut state) = self.state.lock() {
            state.uncount_seal(dek_ref);
        }
    }

    /// Draws the IV of a seal that was counted.
    pub(super) fn draw_iv(&self, dek_ref: &DekRef, iv: &mut [u8]) -> Result<(), Error> {
        draw_iv(&*self.platform, iv).inspect_err(|_| self.uncount(dek_ref))
    }
}
