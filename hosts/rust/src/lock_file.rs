//! A lock that processes in every language can take: Node has no flock, so the lock is a file's
//! being there. Its content says who made it, so that a dead process's lock can be broken.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};
use strongroom::Error;

/// How long a writer waits for others.
const PATIENCE: Duration = Duration::from_secs(10);
/// How old a lock without a maker may be: well below the patience, so that whoever waits lives to see it.
const AGE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);

/// Holds the lock; dropping it removes the file.
pub(crate) struct LockFile(PathBuf);

impl LockFile {
    /// Waits for the lock beside `file`.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`] after ten seconds, or if the file can't be made.
    pub(crate) fn take(file: &Path) -> Result<Self, Error> {
        let path = beside(file, ".lock");
        let mine = lock_content();
        let begun = Instant::now();
        loop {
            match create(&path, &mine) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(_) => return Err(Error::StoreUnavailable),
            }
            if break_stale(&path) {
                continue;
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::StoreUnavailable);
            }
            sleep(PAUSE);
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Were it left behind, the next writer would find its maker dead and break it.
        let _ = fs::remove_file(&self.0);
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes the file with its content at once: it is written under a name of its own and then linked,
/// so that a process that dies here leaves no lock without a maker.
fn create(path: &Path, content: &str) -> std::io::Result<()> {
    let draft = beside(path, &format!(".{}", content.trim_end().replace(' ', "-")));
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
        file.write_all(content.as_bytes())?;
        fs::hard_link(&draft, path)
    });
    let _ = fs::remove_file(&draft);
    made
}

/// `PID TOKEN` and a line feed; the token tells a process's locks apart and protects nothing.
fn lock_content() -> String {
    use std::hash::{BuildHasher, RandomState};
    let token = RandomState::new().hash_one(Instant::now());
    format!("{} {token:016x}\n", std::process::id())
}

/// Removes the lock of a process that is gone. Two who find the same stale lock must not remove
/// each other's new one, so breaking has a lock of its own, and the content is read again under it.
fn break_stale(path: &Path) -> bool {
    let Some(content) = stale(path) else { return false };
    let breaker = beside(path, ".break");
    if create(&breaker, &lock_content()).is_err() {
        if is_old(&breaker) {
            let _ = fs::remove_file(&breaker);
        }
        return false;
    }
    let unchanged = fs::read_to_string(path).is_ok_and(|again| again == content);
    let broken = unchanged && fs::remove_file(path).is_ok();
    let _ = fs::remove_file(&breaker);
    broken
}

/// The content of a lock whose maker is gone, or that has none and is old.
fn stale(path: &Path) -> Option<String> {
    let content = fs::read_to_string(path).ok()?;
    let maker = content.strip_suffix('\n').and_then(|line| line.split_once(' '));
    match maker.and_then(|(pid, _)| pid.parse().ok()).and_then(Pid::from_raw) {
        Some(pid) => {
            let gone = test_kill_process(pid) == Err(rustix::io::Errno::SRCH);
            gone.then_some(content)
        }
        None => is_old(path).then_some(content),
    }
}

fn is_old(path: &Path) -> bool {
    let age = fs::metadata(path).and_then(|data| data.modified()).map(|made| made.elapsed());
    matches!(age, Ok(Ok(age)) if age > AGE)
}
