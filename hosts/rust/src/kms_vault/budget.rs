//! Seals are reserved before they are made: all processes together make no more than the limit, and
//! a crash loses what was left of its block.

use strongroom::{DekRef, Error, inspect};

use super::{KmsVault, remember};
use crate::{Kms, WrapStore};

/// The seals under one DEK that this process has reserved and not yet made.
#[derive(Clone, Copy)]
pub(super) struct Seats {
    left: u64,
    /// How many it reserves next time.
    block: u64,
}

impl<K: Kms, S: WrapStore> KmsVault<K, S> {
    /// Takes a seal under a DEK, from what is reserved already or from the store.
    ///
    /// # Errors
    /// [`Error::BudgetExhausted`], or the store's.
    pub(super) async fn reserve(&self, dek_ref: DekRef) -> Result<(), Error> {
        if self.take_seat(&dek_ref) {
            return Ok(());
        }
        let _alone = self.reserving.lock().await;
        if self.take_seat(&dek_ref) {
            return Ok(());
        }
        let block = self.known().seats.get(&dek_ref).map_or(BLOCK_FIRST, |seats| seats.block);
        let got = self.reserve_block(&dek_ref, block).await?;
        let next = block.saturating_mul(2).min(BLOCK_MOST);
        let left = got.checked_sub(1).ok_or(Error::BudgetExhausted)?;
        remember(&mut self.known().seats, dek_ref, Seats { left, block: next });
        Ok(())
    }

    /// Reserves a block, or what the limit leaves of one: 0 if it leaves nothing.
    async fn reserve_block(&self, dek_ref: &DekRef, mut block: u64) -> Result<u64, Error> {
        let limit = self.config.fleet_seal_limit;
        loop {
            match self.store().reserve(dek_ref, block, limit).await {
                Ok(_) => return Ok(block),
                Err(Error::PreconditionFailed) => {}
                Err(error) => return Err(error),
            }
            let reserved = self.store().usage(dek_ref).await?.map_or(0, |row| row.reserved());
            block = block.min(limit.saturating_sub(reserved));
            if block == 0 {
                return Ok(0);
            }
            // Where another process was quicker, the sum has grown: this ends at the limit.
        }
    }

    fn take_seat(&self, dek_ref: &DekRef) -> bool {
        let mut known = self.known();
        let left = known.seats.get_mut(dek_ref).and_then(|seats| {
            seats.left = seats.left.checked_sub(1)?;
            Some(())
        });
        left.is_some()
    }

    /// Returns a seat whose seal was never made.
    pub(super) fn give_back(&self, dek_ref: &DekRef) {
        if let Some(seats) = self.known().seats.get_mut(dek_ref) {
            seats.left = seats.left.saturating_add(1);
        }
    }

    /// Takes a seat for an envelope whose DEK turned out to be another than the one that a seat was
    /// taken for: a newer version came in meanwhile.
    pub(super) async fn seated(&self, reserved: DekRef, envelope: &[u8]) -> Result<(), Error> {
        self.seated_under(reserved, inspect(envelope)?.dek_ref).await
    }

    pub(super) async fn seated_under(&self, reserved: DekRef, used: DekRef) -> Result<(), Error> {
        if used == reserved {
            return Ok(());
        }
        self.give_back(&reserved);
        self.reserve(used).await
    }
}

const BLOCK_FIRST: u64 = 1 << 10;
const BLOCK_MOST: u64 = 1 << 20;
