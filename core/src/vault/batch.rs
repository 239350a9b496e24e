//! Many fields in one call: one look at the clocks, one system call for all IVs, and each item
//! with a result of its own.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::Vault;
use super::held::InUse;
use super::seal::SealOptions;
use crate::envelope::{Frame, seal_into, sealed_len};
use crate::secrets::IV_LEN;
use crate::{Binding, Error};

/// Items in one batch (DESIGN 7).
pub const MAX_BATCH: usize = 10_000;

/// One field to seal.
#[derive(Clone, Copy)]
pub struct SealItem<'a> {
    /// Where it will stand.
    pub binding: Binding<'a>,
    /// The value.
    pub plaintext: &'a [u8],
    /// How.
    pub options: SealOptions,
}

impl core::fmt::Debug for SealItem<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SealItem(..)")
    }
}

/// One field to open.
#[derive(Clone, Copy, Debug)]
pub struct OpenItem<'a> {
    /// Where the host found it.
    pub binding: Binding<'a>,
    /// The envelope.
    pub envelope: &'a [u8],
}

impl Vault {
    /// Seals many fields; the results stand in input order, and one bad item spoils no other.
    ///
    /// # Errors
    /// [`Error::Limit`] for more than 10,000 items; each item's own as [`Self::seal`].
    pub fn seal_many(&self, items: &[SealItem<'_>]) -> Result<Vec<Result<Vec<u8>, Error>>, Error> {
        let items: Vec<_> = items.iter().map(|item| Ok(*item)).collect();
        let plans = self.plan_seals(&items)?;
        Ok(plans
            .into_iter()
            .map(|plan| {
                let plan = plan?;
                let mut out = alloc::vec![0; plan.len()];
                plan.seal_into(&mut out)?;
                Ok(out)
            })
            .collect())
    }

    /// Opens many fields; the results stand in input order, and one bad item spoils no other.
    ///
    /// # Errors
    /// [`Error::Limit`] for more than 10,000 items; each item's own as [`Self::open`].
    #[expect(clippy::type_complexity, reason = "a batch's result and each item's own")]
    pub fn open_many(&self, items: &[OpenItem<'_>]) -> Result<Vec<Result<Zeroizing<Vec<u8>>, Error>>, Error> {
        let items: Vec<_> = items.iter().map(|item| Ok(*item)).collect();
        let plans = self.plan_opens(&items)?;
        Ok(plans
            .into_iter()
            .map(|plan| {
                let plan = plan?;
                let mut out = Zeroizing::new(alloc::vec![0; plan.max_len()]);
                let len = plan.open_into(&mut out)?;
                out.truncate(len);
                Ok(out)
            })
            .collect())
    }

    /// Checks every item, counts its use and draws its IV. Items that are errors already stay so.
    pub(super) fn plan_seals<'a>(
        &self,
        items: &[Result<SealItem<'a>, Error>],
    ) -> Result<Vec<Result<SealPlan<'a>, Error>>, Error> {
        check_size(items.len())?;
        let mut plans: Vec<_> = {
            let (mut state, _) = self.enter()?;
            items
                .iter()
                .map(|item| {
                    let item = (*item)?;
                    self.check_plaintext(item.plaintext)?;
                    state.check_org(item.binding.org())?;
                    let in_use = self.sealing_dek(&mut state, &item.binding, item.options.scope)?;
                    Ok(SealPlan { item, in_use, iv: [0; IV_LEN] })
                })
                .collect()
        };
        let good = plans.iter().filter(|plan| plan.is_ok()).count();
        let mut ivs = alloc::vec![0; good.saturating_mul(IV_LEN)];
        let drawn = good == 0 || self.platform.fill(&mut ivs).is_ok();
        let (ivs, _) = ivs.as_chunks::<IV_LEN>();
        let mut ivs = ivs.iter();
        for plan in &mut plans {
            let Ok(ready) = plan else { continue };
            match ivs.next() {
                Some(iv) if drawn => ready.iv = *iv,
                _ => {
                    self.uncount(ready.in_use.key.dek_ref());
                    *plan = Err(Error::RngFailure);
                }
            }
        }
        Ok(plans)
    }

    pub(super) fn plan_opens<'a>(
        &self,
        items: &[Result<OpenItem<'a>, Error>],
    ) -> Result<Vec<Result<OpenPlan<'a>, Error>>, Error> {
        check_size(items.len())?;
        let (mut state, _) = self.enter()?;
        Ok(items
            .iter()
            .map(|item| {
                let item = (*item)?;
                state.check_org(item.binding.org())?;
                let frame = Frame::read(item.envelope, self.settings.field_limit)?;
                let in_use = state.deks.take_up(&frame.dek_ref)?;
                Ok(OpenPlan { binding: item.binding, frame, in_use })
            })
            .collect())
    }
}

/// An item that will be sealed: everything but the AES is done.
pub(super) struct SealPlan<'a> {
    item: SealItem<'a>,
    in_use: InUse,
    iv: [u8; IV_LEN],
}

impl SealPlan<'_> {
    pub(super) fn len(&self) -> usize {
        sealed_len(self.item.plaintext.len(), self.item.options.padded)
    }

    pub(super) fn seal_into(&self, out: &mut [u8]) -> Result<usize, Error> {
        let SealItem { binding, plaintext, options } = &self.item;
        seal_into(&self.in_use.key, binding, plaintext, options.padded, &self.iv, out)
    }
}

/// An item that can be tried.
pub(super) struct OpenPlan<'a> {
    binding: Binding<'a>,
    frame: Frame<'a>,
    in_use: InUse,
}

impl OpenPlan<'_> {
    pub(super) fn max_len(&self) -> usize {
        self.frame.max_plaintext()
    }

    pub(super) fn open_into(&self, out: &mut [u8]) -> Result<usize, Error> {
        self.frame.open_into(&self.in_use.key, &self.binding, out)
    }
}

fn check_size(items: usize) -> Result<(), Error> {
    if items > MAX_BATCH { Err(Error::Limit) } else { Ok(()) }
}
