//! Two clocks and the ends of DEKs (DESIGN 4, cache rules).

use crate::Platform;

/// How far the wall clock may step back, in seconds: time services correct by fractions.
const FORGIVEN: u64 = 1;

/// One reading of both clocks; a call reads them once.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    /// Unix seconds, never below the highest value seen.
    pub(crate) wall: u64,
    pub(crate) mono: u64,
}

impl Now {
    /// Before the first reading.
    pub(crate) const NEW: Self = Self { wall: 0, mono: 0 };
}

/// What has been seen of the clocks.
pub(crate) struct Clock {
    highest_wall: u64,
    mono: u64,
}

impl Clock {
    /// Before the first reading.
    pub(crate) const NEW: Self = Self { highest_wall: 0, mono: 0 };

    /// Reads both clocks. `true`: one went back, so what is held now must end. The highest value
    /// then starts again at the present one.
    pub(crate) fn read(&mut self, platform: &dyn Platform) -> (Now, bool) {
        let (wall, mono) = (platform.wall(), platform.mono());
        let went_back = mono < self.mono || wall.saturating_add(FORGIVEN) < self.highest_wall;
        self.highest_wall = if went_back { wall } else { wall.max(self.highest_wall) };
        self.mono = mono;
        (Now { wall: self.highest_wall, mono }, went_back)
    }
}

/// When a DEK is over, by either clock. Fixed when it comes in.
#[derive(Clone, Copy)]
pub(crate) struct End {
    pub(crate) wall: u64,
    mono: u64,
}

impl End {
    pub(crate) const NEVER: Self = Self { wall: u64::MAX, mono: u64::MAX };

    pub(crate) fn after(now: Now, seconds: u64) -> Self {
        Self { wall: now.wall.saturating_add(seconds), mono: now.mono.saturating_add(seconds) }
    }

    pub(crate) fn sooner(self, other: Self) -> Self {
        Self { wall: self.wall.min(other.wall), mono: self.mono.min(other.mono) }
    }

    /// At the second of its end it is over.
    pub(crate) fn is_over(&self, now: Now) -> bool {
        now.wall >= self.wall || now.mono >= self.mono
    }

    /// Seconds that are left by both clocks.
    pub(crate) fn remaining(&self, now: Now) -> u64 {
        self.wall.saturating_sub(now.wall).min(self.mono.saturating_sub(now.mono))
    }
}
