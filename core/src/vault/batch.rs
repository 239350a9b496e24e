//! Many fields in one call: one look at the clocks, one system call for all IVs, and each item
//! with a result of its own.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::Vault;
use super::held::InUse;
use super::seal::SealOptions;
use super::state::State;
use crate::envelope::{Frame, OVERHEAD, seal_into, sealed_len};
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
            let (mut state, _) = self.enter()?;
            for item in items {
                plans.push(self.plan_one(&mut state, item));
            }
        }
        let to_seal = |item: &Item<'_>, plan: &Result<Plan, Error>| matches!(item.work, Work::Seal(_)) && plan.is_ok();
        let seals = items.iter().zip(&plans).filter(|(item, plan)| to_seal(item, plan)).count();
        let mut ivs = alloc::vec![0; seals.saturating_mul(IV_LEN)];
        let drawn = seals == 0 || self.platform.fill(&mut ivs).is_ok();
        let mut ivs = ivs.as_chunks().0.iter();
        for (item, slot) in items.iter().zip(&mut plans) {
            if !to_seal(item, slot) {
                continue;
            }
            match (slot.as_mut(), ivs.next()) {
                (Ok(plan), Some(iv)) if drawn => plan.iv = *iv,
                (Ok(plan), _) => {
                    self.uncount(plan.in_use.key.dek_ref());
                    *slot = Err(Error::RngFailure);
                }
                _ => {}
            }
        }
        Ok(plans)
    }

    fn plan_one(&self, state: &mut State, item: &Item<'_>) -> Result<Plan, Error> {
        let binding = item.binding?;
        let in_use = match item.work {
            Work::Seal(options) => {
                self.check_plaintext(item.value)?;
                state.check_org(binding.org())?;
                self.sealing_dek(state, &binding, options.scope)?
            }
            Work::Open => {
                state.check_org(binding.org())?;
                state.deks.take_up(&Frame::read(item.value, self.settings.field_limit)?.dek_ref)?
            }
        };
        Ok(Plan { in_use, iv: [0; IV_LEN] })
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
    in_use: InUse,
    /// Only where it is sealed.
    iv: [u8; IV_LEN],
}

impl<'a> Item<'a> {
    const fn new(binding: Binding<'a>, value: &'a [u8], work: Work) -> Self {
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
        let (key, binding) = (&plan.in_use.key, &self.binding?);
        match self.work {
            Work::Seal(options) => seal_into(key, binding, self.value, options.padded, &plan.iv, out),
            // Its length was judged when it was planned.
            Work::Open => Frame::read(self.value, usize::MAX)?.open_into(key, binding, out),
        }
    }
}
