//! Times as CloudTrail writes them, and durations as people do.

/// Unix seconds as `2026-01-31T23:59:59Z`.
pub(crate) fn timestamp(seconds: u64) -> String {
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970_u64;
    while days >= year_days(year) {
        days = days.saturating_sub(year_days(year));
        year = year.saturating_add(1);
    }
    let mut month = 1_u64;
    while days >= month_days(year, month) {
        days = days.saturating_sub(month_days(year, month));
        month = month.saturating_add(1);
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let day = days.saturating_add(1);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Reads what [`timestamp`] writes, in its one spelling.
pub(super) fn moment(text: &str) -> Result<u64, String> {
    let wrong = || "a time is written as 2026-01-31T23:59:59Z".to_owned();
    let part = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<u64>().ok());
    let read = || Some((part(0, 4)?, part(5, 7)?, part(8, 10)?, part(11, 13)?, part(14, 16)?, part(17, 19)?));
    let (year, month, day, hour, minute, second) = read().ok_or_else(wrong)?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 {
        return Err(wrong());
    }
    let years: u64 = (1970..year).map(year_days).sum();
    let months: u64 = (1..month).map(|month| month_days(year, month)).sum();
    let days = years.saturating_add(months).saturating_add(day).saturating_sub(1);
    let of_day = hour.saturating_mul(3600).saturating_add(minute.saturating_mul(60)).saturating_add(second);
    let seconds = days.saturating_mul(86_400).saturating_add(of_day);
    if timestamp(seconds) == text { Ok(seconds) } else { Err(wrong()) }
}

/// Reads `90d`, `24h`, `30m` or `10s`.
pub(super) fn duration(text: &str) -> Result<u64, String> {
    let units = [("d", 86_400_u64), ("h", 3600), ("m", 60), ("s", 1)];
    let read = |(unit, seconds): &(&str, u64)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*seconds);
    units.iter().find_map(read).ok_or_else(|| "a duration is written as 90d, 24h, 30m or 10s".to_owned())
}

fn year_days(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn month_days(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_764_064_000, "2025-11-25T09:46:40Z"),
        ] {
            assert_eq!(timestamp(seconds), text);
            assert_eq!(moment(text), Ok(seconds));
        }
        for text in ["", "2025-02-29T00:00:00Z", "2025-01-01 00:00:00Z", "2025-13-01T00:00:00Z", "2025-01-01T24:00:00Z"]
        {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
