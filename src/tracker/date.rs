//! Moments as trackers and HTTP write them, to the second, in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Whole seconds since 1970.
pub(super) fn seconds(at: SystemTime) -> i64 {
    let after = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    i64::try_from(after).unwrap_or(i64::MAX)
}

/// As the event log's parameters want it: `2026-11-21T23:10:14`.
pub(super) fn iso(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Reads the `Date` header: `Sat, 21 Nov 2026 23:10:14 GMT`.
pub(super) fn parse_http(text: &str) -> Option<i64> {
    let mut parts = text.split_once(", ")?.1.split([' ', ':']);
    let day: i64 = parts.next()?.parse().ok()?;
    let month = parts.next()?;
    let month = i64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()? + 1;
    let mut number = || parts.next()?.parse::<i64>().ok();
    let (year, hour, minute, second) = (number()?, number()?, number()?, number()?);
    let sane = (1..=31).contains(&day) && (1970..=9999).contains(&year);
    let sane = sane && (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    sane.then(|| days(year, month, day) * DAY + hour * 3600 + minute * 60 + second)
}

/// Reads `2026-11-21T23:10:14`, with or without a fraction of the second and a `Z`. Another offset is no such moment.
pub(super) fn parse_iso(text: &str) -> Option<i64> {
    let (day, time) = text.split_once(['T', ' '])?;
    let time = time.trim_end_matches('Z').trim_end_matches("+00:00");
    let whole = time.split_once('.').map_or(time, |(whole, _)| whole);
    let mut day = day.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let mut time = whole.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (year, month, of_month) = (day.next()??, day.next()??, day.next()??);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let sane = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&of_month);
    let sane = sane && (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    sane.then(|| days(year, month, of_month) * DAY + hour * 3600 + minute * 60 + second)
}

/// Days since 1970 of a day of the Gregorian calendar. Years begin in March here, so the leap day is a year's last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_moments() {
        assert_eq!(iso(0), "1970-01-01T00:00:00");
        assert_eq!(iso(951_782_399), "2000-02-28T23:59:59");
        assert_eq!(iso(951_782_400), "2000-02-29T00:00:00");
        assert_eq!(parse_http("Sat, 21 Nov 2026 23:10:14 GMT"), Some(1_795_302_614));
        assert_eq!(iso(1_795_302_614), "2026-11-21T23:10:14");
        for bad in [
            "",
            "Sat",
            "Sat, 21",
            "Sat, 21 Foo 2026 23:10:14 GMT",
            "Sat, 99 Nov 2026 23:10:14 GMT",
            "Sat, 21 Nov 99999999999 1:1:1 GMT",
        ] {
            assert_eq!(parse_http(bad), None, "{bad}");
        }
    }

    #[test]
    fn moments_as_json_has_them() {
        for text in
            ["2026-11-21T23:10:14", "2026-11-21 23:10:14.123456", "2026-11-21T23:10:14Z", "2026-11-21T23:10:14+00:00"]
        {
            assert_eq!(parse_iso(text), Some(1_795_302_614), "{text}");
        }
        for bad in [
            "",
            "T",
            "2026-11-21",
            "2026-13-21T23:10:14",
            "2026-11-21T23:10",
            "2026-11-21T23:10:14+02:00",
            "1-1-1T1:1:1",
        ] {
            assert_eq!(parse_iso(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn days_and_civil_are_inverse(day in -200_000_i64..2_000_000) {
            let (year, month, of_month) = civil(day);
            prop_assert_eq!(days(year, month, of_month), day);
        }
    }
}
