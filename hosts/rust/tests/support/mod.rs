//! A KMS, a store that fails on demand and clocks that are set.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use strongroom::{ActiveRow, DekRef, Error, KmsOp, KmsRequest, Platform, RowKey, UsageRow, WrapRow};
use strongroom_host::{Kms, KmsAnswer, KmsVault, KmsVaultConfig, MemoryStore, RecordPlace, WrapStore};

pub const CMK: &str = "arn:aws:kms:us-east-1:111122223333:key/acme";
pub const GLOBEX_CMK: &str = "arn:aws:kms:us-east-1:111122223333:key/globex";

/// What a blob was made by, and of.
type Wrapped = (KmsRequest, Vec<u8>);

/// Answers as a KMS does; `errors` are given in its place, one a call.
#[derive(Default)]
pub struct FakeKms {
    wrapped: Mutex<HashMap<Vec<u8>, Wrapped>>,
    pub calls: Mutex<Vec<KmsOp>>,
    pub errors: Mutex<Vec<&'static str>>,
}

impl FakeKms {
    pub fn count(&self, op: KmsOp) -> usize {
        self.calls.lock().unwrap().iter().filter(|called| **called == op).count()
    }

    fn wrap(&self, request: &KmsRequest, plaintext: Vec<u8>) -> Vec<u8> {
        let mut wrapped = self.wrapped.lock().unwrap();
        let blob = format!("blob {}", wrapped.len()).into_bytes();
        wrapped.insert(blob.clone(), (request.clone(), plaintext));
        blob
    }
}

impl Kms for FakeKms {
    async fn send(&self, request: &KmsRequest, plaintext: Option<&[u8]>) -> Result<KmsAnswer, Error> {
        tokio::task::yield_now().await;
        self.calls.lock().unwrap().push(request.op);
        let mut answer = KmsAnswer { endpoint: request.endpoint.clone(), ..KmsAnswer::default() };
        if let Some(error) = self.errors.lock().unwrap().pop() {
            answer.error = Some(error.to_owned());
            return Ok(answer);
        }
        answer.key_id = Some(request.params.key_id.clone());
        match request.op {
            KmsOp::GenerateDataKey => {
                let number = self.wrapped.lock().unwrap().len() as u8;
                let dek = vec![number + 1; 32];
                answer.ciphertext_blob = Some(self.wrap(request, dek.clone()));
                answer.plaintext = Some(dek.into());
            }
            KmsOp::Encrypt => answer.ciphertext_blob = Some(self.wrap(request, plaintext.unwrap().to_vec())),
            _ => {
                let wrapped = self.wrapped.lock().unwrap();
                match wrapped.get(request.params.ciphertext_blob.as_ref().unwrap()) {
                    Some((by, dek)) if by.params.encryption_context == request.params.encryption_context => {
                        answer.plaintext = Some(dek.clone().into());
                    }
                    _ => answer.error = Some("InvalidCiphertextException".to_owned()),
                }
            }
        }
        Ok(answer)
    }
}

/// A store in memory that fails at its n-th next call: after the call took effect where `lost` is set.
#[derive(Default)]
pub struct Flaky {
    pub inner: MemoryStore,
    pub fail_at: Mutex<Option<u64>>,
    pub lost: std::sync::atomic::AtomicBool,
    pub reserved: AtomicU64,
}

impl Flaky {
    /// Whether this call fails.
    fn fails(&self) -> bool {
        let mut fail_at = self.fail_at.lock().unwrap();
        match *fail_at {
            None => false,
            Some(0) => true,
            Some(left) => {
                *fail_at = Some(left - 1);
                false
            }
        }
    }

    async fn pass<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let fails = self.fails();
        if fails && !self.lost.load(Ordering::Relaxed) {
            return Err(Error::StoreUnavailable);
        }
        let outcome = call.await;
        if fails { Err(Error::StoreUnavailable) } else { outcome }
    }
}

impl WrapStore for Flaky {
    async fn rows(&self, dek_ref: &DekRef, reader: &str) -> Result<Vec<WrapRow>, Error> {
        self.pass(self.inner.rows(dek_ref, reader)).await
    }
    async fn rows_by_owner(&self, owner: &str, at: Option<&RecordPlace>) -> Result<Vec<WrapRow>, Error> {
        self.pass(self.inner.rows_by_owner(owner, at)).await
    }
    async fn rows_by_reader(&self, reader: &str) -> Result<Vec<WrapRow>, Error> {
        self.pass(self.inner.rows_by_reader(reader)).await
    }
    async fn put_if_absent(&self, row: &WrapRow) -> Result<(), Error> {
        self.pass(self.inner.put_if_absent(row)).await
    }
    async fn active(&self, org: &str) -> Result<Option<ActiveRow>, Error> {
        self.pass(self.inner.active(org)).await
    }
    async fn compare_and_set_active(&self, row: &ActiveRow) -> Result<(), Error> {
        self.pass(self.inner.compare_and_set_active(row)).await
    }
    async fn delete(&self, key: &RowKey) -> Result<(), Error> {
        self.pass(self.inner.delete(key)).await
    }
    async fn usage(&self, dek_ref: &DekRef) -> Result<Option<UsageRow>, Error> {
        self.pass(self.inner.usage(dek_ref)).await
    }
    async fn reserve(&self, dek_ref: &DekRef, count: u64, limit: u64) -> Result<u64, Error> {
        self.reserved.fetch_add(1, Ordering::Relaxed);
        self.pass(self.inner.reserve(dek_ref, count, limit)).await
    }
    async fn mark_inactive(&self, dek_ref: &DekRef, at: u64) -> Result<UsageRow, Error> {
        self.pass(self.inner.mark_inactive(dek_ref, at)).await
    }
    async fn delete_usage(&self, dek_ref: &DekRef) -> Result<(), Error> {
        self.pass(self.inner.delete_usage(dek_ref)).await
    }
}

/// Clocks that go when they are told to.
#[derive(Default)]
pub struct Clock(AtomicU64);

impl Clock {
    pub fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Platform for Clock {
    fn wall(&self) -> u64 {
        1_800_000_000 + self.mono()
    }
    fn mono(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        strongroom::OsPlatform::new().fill(bytes)
    }
}

/// What the vaults of a test have in common.
#[derive(Default, Clone)]
pub struct World {
    pub kms: Arc<FakeKms>,
    pub store: Arc<Flaky>,
    pub clock: Arc<Clock>,
}

pub type Host = KmsVault<FakeKms, Flaky>;

impl World {
    pub fn host(&self, org: &str) -> Host {
        self.host_with(org, |_| {})
    }

    pub fn host_with(&self, org: &str, change: impl FnOnce(&mut KmsVaultConfig<FakeKms, Flaky>)) -> Host {
        let cmks = [("acme", CMK), ("globex", GLOBEX_CMK)];
        let cmks = cmks.map(|(org, cmk)| (org.to_owned(), vec![cmk.to_owned()]));
        let mut config = KmsVaultConfig::new(org, cmks.into(), self.kms.clone(), self.store.clone());
        change(&mut config);
        KmsVault::with_platform(config, self.clock.clone()).unwrap()
    }
}
