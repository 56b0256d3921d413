//! The time that a caller gives a call.

use std::time::Duration;

use http::HeaderMap;

/// The answer has to leave a little before the caller stops to listen.
const MARGIN: Duration = Duration::from_millis(5);

/// How long the call may still take; `None` where the caller set no deadline, or one that cannot be read.
pub(super) fn of(headers: &HeaderMap) -> Option<Duration> {
    let length = parse(headers.get("grpc-timeout")?.to_str().ok()?)?;
    Some(length.saturating_sub(MARGIN.min(length / 4)))
}

/// At most eight digits and a unit, as the gRPC protocol has it.
fn parse(text: &str) -> Option<Duration> {
    let (at, unit) = text.char_indices().next_back()?;
    let digits = text.get(..at)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(count * 3_600)),
        'M' => Some(Duration::from_secs(count * 60)),
        'S' => Some(Duration::from_secs(count)),
        'm' => Some(Duration::from_millis(count)),
        'u' => Some(Duration::from_micros(count)),
        'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_the_protocol() {
        let cases = [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("50m", Some(Duration::from_millis(50))),
            ("99999999u", Some(Duration::from_micros(99_999_999))),
            ("0n", Some(Duration::ZERO)),
            ("999999999n", None),
            ("", None),
            ("S", None),
            ("+1S", None),
            ("1s", None),
            ("1ß", None),
        ];
        for (text, length) in cases {
            assert_eq!(parse(text), length, "{text}");
        }
    }

    #[test]
    fn the_answer_leaves_before_the_caller_hangs_up() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            of(&headers).unwrap()
        };
        assert_eq!(of("100m"), Duration::from_millis(95));
        assert_eq!(of("4m"), Duration::from_millis(3));
        assert_eq!(of("0m"), Duration::ZERO);
    }
}
