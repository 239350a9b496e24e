//! What passed and what failed, and the closing line.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts checks and prints failures as they are found.
#[derive(Default)]
pub(crate) struct Report {
    passed: AtomicU64,
    failed: AtomicU64,
}

impl Report {
    pub(crate) fn pass(&self) {
        self.passed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fail(&self, what: &str) {
        // One broken rule can fail thousands of checks: show the first, count all.
        if self.failed.fetch_add(1, Ordering::Relaxed) < SHOWN {
            println!("FAIL {}", shortened(what));
        }
    }

    /// Passes on `Ok`, fails with `what` and the reason otherwise.
    pub(crate) fn check(&self, what: impl FnOnce() -> String, result: Result<(), String>) {
        match result {
            Ok(()) => self.pass(),
            Err(reason) => self.fail(&format!("{}: {reason}", what())),
        }
    }

    pub(crate) fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Prints the closing line; true only if something was checked and nothing failed.
    pub(crate) fn close(&self) -> bool {
        if self.passed() == 0 && self.failed() == 0 {
            self.fail("nothing was checked");
        }
        println!("{} passed, {} failed", self.passed(), self.failed());
        self.failed() == 0
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LINE {
        return text.to_owned();
    }
    text.chars().take(LINE).chain("...".chars()).collect()
}

const SHOWN: u64 = 100;
const LINE: usize = 700;

#[cfg(test)]
mod tests {
    use super::Report;

    #[test]
    fn a_run_that_checked_nothing_has_failed() {
        assert!(!Report::default().close());
    }

    #[test]
    fn one_failure_fails_the_run() {
        let report = Report::default();
        report.pass();
        assert!(report.close());
        report.check(|| "case".into(), Err("reason".into()));
        assert!(!report.close());
        assert_eq!((report.passed(), report.failed()), (1, 1));
    }
}
