//! Many fields in one call: one look at the clocks, one system call for all IVs, and each item
//! with a result of its own.

use alloc::sync::Arc;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::Vault;
use super::seal::SealOptions;
use super::state::State;
use crate::envelope::{Frame, OVERHEAD, seal_into, sealed_len};
use crate::secrets::{DekKey, IV_LEN};
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
        let run = |item: &Item<'_>, plan: &Plan| {
            let mut out = alloc::vec![0; item.room()];
            item.run(plan, &mut out)?;
            Ok(out)
        };
        let items = items.iter().map(|item| Item::new(item.binding, item.plaintext, Work::Seal(item.options)));
        self.batch(&items.collect::<Vec<_>>(), run)
    }

    /// Opens many fields; the results stand in input order, and one bad item spoils no other.
    ///
    /// # Errors
    /// [`Error::Limit`] for more than 10,000 items; each item's own as [`Self::open`].
    #[expect(clippy::type_complexity, reason = "a batch's result and each item's own")]
    pub fn open_many(&self, items: &[OpenItem<'_>]) -> Result<Vec<Result<Zeroizing<Vec<u8>>, Error>>, Error> {
        let run = |item: &Item<'_>, plan: &Plan| {
            let mut out = Zeroizing::new(alloc::vec![0; item.room()]);
            let len = item.run(plan, &mut out)?;
            out.truncate(len);
            Ok(out)
        };
        let items = items.iter().map(|item| Item::new(item.binding, item.envelope, Work::Open));
        self.batch(&items.collect::<Vec<_>>(), run)
    }

    fn batch<T>(
        &self,
        items: &[Item<'_>],
        run: impl Fn(&Item<'_>, &Plan) -> Result<T, Error>,
    ) -> Result<Vec<Result<T, Error>>, Error> {
        let plans = self.plan(items)?;
        Ok(items.iter().zip(plans).map(|(item, plan)| run(item, &plan?)).collect())
    }

    /// Does everything but the AES: checks every item, counts the seals and draws their IVs.
    ///
    /// # Errors
    /// [`Error::Limit`] for more than 10,000 items.
    pub(super) fn plan(&self, items: &[Item<'_>]) -> Result<Vec<Result<Plan, Error>>, Error> {
        if items.len() > MAX_BATCH {
            return Err(Error::Limit);
        }
        let mut plans = Vec::with_capacity(items.len());
        {
            let mut state = self.enter()?;
            for item in items {
                plans.push(self.key_for(&mut state, item).map(|key| Plan { key, iv: [0; IV_LEN] }));
            }
        }
        // A batch seals or opens; opening draws nothing.
        let seals = if items.first().is_some_and(Item::is_seal) { items.len() } else { 0 };
        let mut ivs = alloc::vec![0; seals.saturating_mul(IV_LEN)];
        let drawn = seals == 0 || self.platform.fill(&mut ivs).is_ok();
        for (slot, iv) in plans.iter_mut().zip(ivs.as_chunks().0) {
            match slot {
                Ok(plan) if drawn => plan.iv = *iv,
                Ok(plan) => {
                    self.uncount(plan.key.dek_ref());
                    *slot = Err(Error::RngFailure);
                }
                Err(_) => {}
            }
        }
        Ok(plans)
    }

    /// Does one item, into `out`; says how many bytes.
    pub(super) fn one(&self, item: &Item<'_>, out: &mut [u8]) -> Result<usize, Error> {
        item.run(&self.plan_one(item)?, out)
    }

    /// [`Self::plan`] of one item.
    pub(super) fn plan_one(&self, item: &Item<'_>) -> Result<Plan, Error> {
        let mut plan = Plan { key: self.key_for(&mut *self.enter()?, item)?, iv: [0; IV_LEN] };
        if item.is_seal() {
            self.draw_iv(plan.key.dek_ref(), &mut plan.iv)?;
        }
        Ok(plan)
    }

    fn key_for(&self, state: &mut State, item: &Item<'_>) -> Result<Arc<DekKey>, Error> {
        let binding = item.binding?;
        match item.work {
            Work::Seal(options) => {
                self.check_plaintext(item.value)?;
                state.check_org(binding.org())?;
                self.sealing_dek(state, &binding, options.scope)
            }
            Work::Open => {
                state.check_org(binding.org())?;
                state.deks.take_up(Frame::read(item.value, self.settings.field_limit)?.dek_ref)
            }
        }
    }
}

/// One item, to seal or to open.
pub(super) struct Item<'a> {
    pub(super) binding: Result<Binding<'a>, Error>,
    pub(super) value: &'a [u8],
    pub(super) work: Work,
}

#[derive(Clone, Copy)]
pub(super) enum Work {
    Seal(SealOptions),
    Open,
}

/// What an item needs besides itself.
pub(super) struct Plan {
    pub(super) key: Arc<DekKey>,
    /// Only where it is sealed.
    pub(super) iv: [u8; IV_LEN],
}

impl<'a> Item<'a> {
    const fn is_seal(&self) -> bool {
        matches!(self.work, Work::Seal(_))
    }

    pub(super) const fn new(binding: Binding<'a>, value: &'a [u8], work: Work) -> Self {
        Self { binding: Ok(binding), value, work }
    }

    /// Bytes that [`Self::run`] may write.
    pub(super) fn room(&self) -> usize {
        match self.work {
            Work::Seal(options) => sealed_len(self.value.len(), options.padded),
            Work::Open => self.value.len().saturating_sub(OVERHEAD),
        }
    }

    pub(super) fn run(&self, plan: &Plan, out: &mut [u8]) -> Result<usize, Error> {
        let (key, binding) = (&plan.key, &self.binding?);
        match self.work {
            Work::Seal(options) => seal_into(key, binding, self.value, options.padded, &plan.iv, out),
            // Its length was judged when it was planned.
            Work::Open => Frame::read(self.value, usize::MAX)?.open_into(key, binding, out),
        }
    }
}
