//! Each piece of work runs once, however many ask for it at a time.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use strongroom::{DekRef, Error};
use tokio::sync::OnceCell;

/// Names a piece of work and the era in which it began.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Work {
    /// Gets a DEK by whichever row. It may wait for `Unwrap`, never the other way round.
    Fetch(u64, DekRef),
    /// Gets a DEK by the KMS.
    Unwrap(u64, DekRef),
    ReadActive(u64),
    LookAtActive(u64, String),
}

/// Boxed, because pieces of work that hold each other by value would fill a thread's stack.
type Boxed<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

type Outcome = OnceCell<Result<(), Error>>;

#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Work, Arc<Outcome>>>);

impl Flights {
    /// Joins the work of that name or does it. Where who does it is dropped, one who waits goes on.
    pub(super) async fn run(&self, name: Work, work: Boxed<'_>) -> Result<(), Error> {
        let flight = Arc::clone(self.lock().entry(name.clone()).or_default());
        let fly = async || {
            let outcome = work.await;
            self.land(&name, &flight);
            outcome
        };
        *flight.get_or_init(fly).await
    }

    fn land(&self, name: &Work, flight: &Arc<Outcome>) {
        let mut running = self.lock();
        if running.get(name).is_some_and(|other| Arc::ptr_eq(other, flight)) {
            running.remove(name);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Work, Arc<Outcome>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
