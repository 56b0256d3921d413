//! Lengths of time as people write them: `10m`, `500ms`, `1h30m`.

use std::time::Duration;

/// Reads a length of time: whole numbers, each with a unit.
///
/// # Errors
/// Where a number has no unit, a unit is unknown, or the length is out of all bounds.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no length of time; write a number and a unit, like 500ms, 30s, 10m or 1h30m");
    let mut rest = text;
    let mut length = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, behind) = rest.split_at_checked(digits).ok_or_else(wrong)?;
        let letters = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at_checked(letters).ok_or_else(wrong)?;
        let count: u64 = number.parse().map_err(|_| wrong())?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let part = count.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(wrong)?;
        length = length.checked_add(part).ok_or_else(wrong)?;
        rest = behind;
    }
    if length.is_zero() {
        Err(format!("`{text}` is no time at all; write more than nothing, like 30s or 10m"))
    } else {
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_write_them() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("1s500ms", 1_500),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "0s", "10", "m", "10 m", "-1s", "1.5h", "10min", "1h30", "99999999999999999999s", "ä"] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(&format!("`{text}`")) && error.contains("10m"), "{text}: {error}");
        }
        assert!(parse("18446744073709551615d").is_err());
    }
}
