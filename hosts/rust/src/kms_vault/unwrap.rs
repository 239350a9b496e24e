//! How a DEK comes in: by a local row, or by one call of the KMS.

use std::sync::PoisonError;
use std::time::Duration;

use strongroom::{DekRef, Error, KmsReply, KmsRequest, OVERHEAD, Provider, Purpose, WrapRow};

use super::flights::Work;
use super::{KmsVault, Run, is_gone, remember};
use crate::{Kms, KmsAnswer, WrapStore};

impl<K: Kms, S: WrapStore> KmsVault<K, S> {
    /// Whether the vault has a DEK. `missing` reads no more of an envelope than its frame, so an
    /// empty one with that `dek_ref` asks the question.
    fn holds(&self, dek_ref: &DekRef) -> Result<bool, Error> {
        let mut probe = vec![0xF7, 1, 1, 0];
        probe.extend_from_slice(dek_ref.as_bytes());
        probe.resize(OVERHEAD, 0);
        Ok(self.vault.missing(&[&probe])?.is_empty())
    }

    /// Gets a DEK if the vault doesn't have it.
    pub(super) async fn hold(&self, run: &Run, dek_ref: DekRef) -> Result<(), Error> {
        if self.in_era(run, || self.holds(&dek_ref))? {
            return Ok(());
        }
        let fetch = async {
            // Another flight may have ended between the look and the start of this one.
            if self.holds(&dek_ref)? {
                return Ok(());
            }
            self.fetch(run, dek_ref).await
        };
        self.flights.run(Work::Fetch(run.era, dek_ref), Box::pin(fetch)).await
    }

    /// Tries a DEK's local rows, then asks the KMS.
    async fn fetch(&self, run: &Run, dek_ref: DekRef) -> Result<(), Error> {
        let mut failure = None;
        let mut wrapped = Vec::new();
        for row in self.store().rows(&dek_ref, self.org()).await? {
            if *row.dek_ref() != dek_ref {
                // It would bring in what nobody asked for.
                failure.get_or_insert(Error::RowInconsistent);
            } else if row.provider() == Provider::Local {
                match self.unwrap_local(run, &row).await {
                    Ok(()) => return Ok(()),
                    Err(error) => failure.get_or_insert(error),
                };
            } else {
                wrapped.push(row);
            }
        }
        if wrapped.is_empty() {
            return Err(failure.unwrap_or(Error::UnknownDek));
        }
        self.unwrap(run, dek_ref, Some(wrapped)).await
    }

    /// Admits a local row, after its KEK where that is not held. A KEK is an org DEK, so only the
    /// KMS can give it.
    async fn unwrap_local(&self, run: &Run, row: &WrapRow) -> Result<(), Error> {
        let admit = || self.in_era(run, || self.vault.admit(self.org(), row, None)).map(drop);
        match admit() {
            Err(error) if is_gone(error) => {}
            outcome => return outcome,
        }
        let kek = DekRef::from_text(row.key_id()).ok_or(Error::RowInconsistent)?;
        self.unwrap(run, kek, None).await?;
        admit()
    }

    /// Has the KMS unwrap a DEK, once however many wait. Without rows it is a KEK, whose rows it
    /// reads itself.
    async fn unwrap(&self, run: &Run, dek_ref: DekRef, rows: Option<Vec<WrapRow>>) -> Result<(), Error> {
        let failed = || run.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = failed().get(&dek_ref) {
            return Err(*error);
        }
        let work = async {
            if self.in_era(run, || self.holds(&dek_ref))? {
                return Ok(());
            }
            if let Some(denial) = self.denial_of(&dek_ref) {
                return Err(denial);
            }
            let rows = match rows {
                Some(rows) => rows,
                None => self.org_rows(&dek_ref).await?,
            };
            self.unwrap_first(run, dek_ref, rows).await
        };
        let outcome = self.flights.run(Work::Unwrap(run.era, dek_ref), Box::pin(work)).await;
        if let Err(error) = outcome {
            failed().insert(dek_ref, error);
        }
        outcome
    }

    /// The rows of an org DEK. A record DEK that a local row names as its KEK is not worth a call:
    /// the vault would refuse it.
    pub(super) async fn org_rows(&self, dek_ref: &DekRef) -> Result<Vec<WrapRow>, Error> {
        let mut rows = self.store().rows(dek_ref, self.org()).await?;
        rows.retain(|row| row.dek_ref() == dek_ref && row.purpose() == Purpose::OrgDek);
        Ok(rows)
    }

    /// Asks for the row whose CMK the host lists first. Rows that the vault refuses before anything
    /// is asked are passed over: whoever can write to the store could otherwise hide a good row
    /// behind a bad one. An answer, even a denial, ends it.
    async fn unwrap_first(&self, run: &Run, dek_ref: DekRef, mut rows: Vec<WrapRow>) -> Result<(), Error> {
        let own = self.config.own_cmks();
        rows.sort_by_key(|row| own.iter().position(|cmk| cmk == row.key_id()).unwrap_or(own.len()));
        let mut failure = None;
        for row in rows {
            let request = match self.in_era(run, || self.vault.unwrap_request(self.org(), &row)) {
                Ok(request) => request,
                Err(error) => {
                    failure.get_or_insert(error);
                    continue;
                }
            };
            let take = |reply: KmsReply<'_>| self.vault.admit(self.org(), &row, Some(reply)).map(drop);
            let outcome = self.ask(run, &request, None, take).await;
            if let Err(error @ (Error::KmsDenied | Error::KmsPendingDeletion)) = outcome {
                let now = self.now();
                self.in_era(run, || {
                    remember(&mut self.known().denials, dek_ref, (error, now));
                    Ok(())
                })?;
            }
            return outcome;
        }
        Err(failure.unwrap_or(Error::UnknownDek))
    }

    fn denial_of(&self, dek_ref: &DekRef) -> Option<Error> {
        let (error, then) = *self.known().denials.get(dek_ref)?;
        self.is_within(then, self.config.denial_ttl).then_some(error)
    }

    /// Sends a request, as often as is allowed, and has the answer taken in. The vault knows which
    /// of the KMS's errors means what.
    pub(super) async fn ask<T: Send>(
        &self,
        run: &Run,
        request: &KmsRequest,
        plaintext: Option<&[u8]>,
        mut take: impl FnMut(KmsReply<'_>) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let mut ceiling = BACK_OFF_FIRST;
        for left in (0..self.config.tries).rev() {
            let taken = match self.send(run, request, plaintext).await {
                Ok(mut answer) => self.in_era(run, || take(reply_of(&mut answer))),
                Err(error) => Err(error),
            };
            match taken {
                Err(Error::KmsThrottled | Error::KmsUnavailable) if left > 0 => {}
                taken => return taken,
            }
            tokio::time::sleep(Duration::from_millis(self.below(ceiling)?)).await;
            ceiling = ceiling.saturating_mul(2).min(BACK_OFF_MOST);
        }
        Err(Error::KmsUnavailable)
    }

    async fn send(&self, run: &Run, request: &KmsRequest, plaintext: Option<&[u8]>) -> Result<KmsAnswer, Error> {
        let _place = self.calls.acquire().await.map_err(|_| Error::Internal)?;
        self.in_era(run, || Ok(()))?;
        self.config.kms.send(request, plaintext).await
    }

    /// A random number below another: waiters of one overload must not come back together.
    fn below(&self, ceiling: u64) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        self.platform.fill(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes).checked_rem(ceiling).unwrap_or(0))
    }
}

fn reply_of(answer: &mut KmsAnswer) -> KmsReply<'_> {
    KmsReply {
        endpoint: &answer.endpoint,
        error: answer.error.as_deref(),
        key_id: answer.key_id.as_deref(),
        plaintext: answer.plaintext.as_mut().map(|bytes| bytes.as_mut_slice()),
        ciphertext_blob: answer.ciphertext_blob.as_deref(),
    }
}

/// Milliseconds.
const BACK_OFF_FIRST: u64 = 100;
const BACK_OFF_MOST: u64 = 5_000;
