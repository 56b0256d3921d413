//! Late, missing and doubled ids, by hand and against a plain model of the log.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const WALL: i64 = 1_800_000_000;

fn rows(ids: &[u64]) -> Vec<Seen> {
    ids.iter().map(|id| Seen { id: *id, made: Some(WALL) }).collect()
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Marks behind event 10, with nothing missing.
fn marks(start: Instant) -> Marks {
    let marks = Marks::begin(9, &rows(&[10]), start, start, WALL);
    assert_eq!(marks.low(), 10);
    marks
}

#[test]
fn a_late_id_is_told_once_and_the_rest_not_again() {
    let start = Instant::now();
    let mut marks = marks(start);
    assert_eq!(marks.take(&rows(&[11, 12, 15]), start).unwrap(), [11, 12, 15]);
    marks.finish(start, start, WALL);
    assert_eq!(marks.low(), 12);
    assert!(marks.has(12) && marks.has(15) && !marks.has(13) && !marks.has(14) && !marks.has(16));
    let later = start + seconds(200.0);
    assert_eq!(marks.take(&rows(&[15, 14, 14, 16, 11]), later).unwrap(), [14, 16]);
    marks.finish(later, later, WALL + 200);
    assert_eq!(marks.low(), 12, "13 may still come");
    let late = start + seconds(302.0);
    assert_eq!(marks.take(&rows(&[14, 15, 16]), late).unwrap(), [0_u64; 0]);
    marks.finish(late, late, WALL + 302);
    assert_eq!(marks.low(), 16);
    assert_eq!(marks.take(&rows(&[13]), late).unwrap(), [0_u64; 0], "given up");
}

#[test]
fn a_gap_waits_for_a_reading_that_began_late_enough() {
    let start = Instant::now();
    let mut marks = marks(start);
    marks.take(&rows(&[12]), start).unwrap();
    // Began when the id could still be committed, and took long.
    marks.finish(start + seconds(299.0), start + seconds(320.0), WALL + 320);
    assert_eq!(marks.low(), 10);
    marks.finish(start + seconds(301.0), start + seconds(321.0), WALL + 321);
    assert_eq!(marks.low(), 12);
}

#[test]
fn at_the_start_and_after_a_pause_old_gaps_are_not_waited_for() {
    let start = Instant::now();
    let old = |id| Seen { id, made: Some(WALL - 1000) };
    let new = |id| Seen { id, made: Some(WALL) };
    let mut marks = Marks::begin(9, &[new(30), old(10), old(15), new(20)], start, start, WALL);
    assert_eq!(marks.low(), 15, "16 to 19 and 21 to 29 may still come");
    assert_eq!(marks.take(&rows(&[12, 17]), start).unwrap(), [17]);
    marks.finish(start, start, WALL);
    // While the log is followed, a date proves nothing.
    marks.take(&[old(33), old(36)], start).unwrap();
    marks.finish(start, start, WALL);
    assert!(!marks.has(32) && !marks.has(34));

    let pause = start + seconds(1000.0);
    let wall = WALL + 1000;
    let made = |id, ago: i64| Seen { id, made: Some(wall - ago) };
    marks.take(&[made(40, 900), made(1_000_000, 800), made(1_000_002, 2), made(1_000_004, 0)], pause).unwrap();
    marks.finish(pause, pause, wall);
    assert_eq!(marks.low(), 1_000_000, "a big gap is no matter");
    assert!(!marks.has(1_000_001) && !marks.has(1_000_003));
}

#[test]
fn neither_our_clock_nor_a_forged_date_makes_a_gap_old() {
    let start = Instant::now();
    let made = |id, made| Seen { id, made: Some(made) };
    let rows = [made(10, WALL), made(12, WALL), made(13, WALL)];
    assert_eq!(Marks::begin(9, &rows, start, start, WALL + 100_000).low(), 10, "our clock is ahead");
    let rows = [made(10, WALL), made(12, WALL), made(13, WALL + 100_000)];
    assert_eq!(Marks::begin(9, &rows, start, start, WALL).low(), 10, "an event of tomorrow");
    let rows = [made(10, WALL - 1000), Seen { id: 12, made: None }, made(13, WALL)];
    assert_eq!(Marks::begin(9, &rows, start, start, WALL).low(), 10, "an event without a date");
}

#[test]
fn an_empty_log_and_the_last_id_are_nothing_special() {
    let start = Instant::now();
    let mut marks = Marks::begin(0, &[], start, start, WALL);
    assert_eq!(marks.low(), 0);
    assert_eq!(marks.take(&rows(&[2, u64::MAX, u64::MAX]), start).unwrap(), [2, u64::MAX]);
    assert_eq!(marks.take(&rows(&[1, 0, u64::MAX - 1]), start).unwrap(), [1, u64::MAX - 1]);
    marks.finish(start + seconds(301.0), start, WALL);
    assert_eq!(marks.low(), u64::MAX);
}

#[test]
fn what_is_missing_is_bounded() {
    let start = Instant::now();
    let every_other: Vec<_> = (0..100).map(|at| Seen { id: at * 2 + 2, made: Some(WALL) }).collect();
    let mut marks = Marks::bounded(1, &every_other, (start, start, WALL), 10);
    assert_eq!(marks.gaps.len(), 5);
    assert_eq!(marks.low(), 190);
    let room: Vec<_> = (101..=105).map(|at| at * 2).collect();
    assert_eq!(marks.take(&rows(&room), start), Ok(room), "no overflow at once");
    assert_eq!(marks.take(&rows(&[212]), start), Err(Overflow));
}

/// One event of the plain model: when its id is taken, and when it is committed, if ever.
#[derive(Clone, Debug)]
struct Event {
    taken: f64,
    committed: Option<f64>,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let late = prop_oneof![
        6 => 0.0..0.2_f64,
        2 => 0.2..20.0_f64,
        1 => 290.0..300.0_f64,
    ];
    let event = (0.0..6.0_f64, prop::option::weighted(0.85, late));
    prop::collection::vec(event, 1..300).prop_map(|steps| {
        let mut at = 0.0;
        let mut events = Vec::new();
        for (step, late) in steps {
            at += step * step;
            events.push(Event { taken: at, committed: late.map(|late| at + late) });
        }
        events
    })
}

/// How long after the last reading the next begins, and how long one page takes.
fn readings() -> impl Strategy<Value = Vec<(f64, f64)>> {
    let pause = prop_oneof![8 => 0.1..2.0_f64, 2 => 2.0..30.0_f64, 1 => 200.0..900.0_f64];
    prop::collection::vec((pause, 0.0..5.0_f64), 1..60)
}

proptest! {
    #[test]
    fn every_event_that_is_committed_is_told_exactly_once(
        events in events(),
        readings in readings(),
        begin in 0.0..400.0_f64,
        page in 3_usize..40,
        lag in 0.0..1.0_f64,
    ) {
        let zero = Instant::now();
        let at = |time: f64| zero + seconds(time);
        let wall = |time: f64| WALL + time as i64;
        let visible = |event: &Event, time: f64| event.committed.is_some_and(|committed| committed + lag <= time);
        let row = |(index, event): (usize, &Event)| Seen { id: index as u64 + 1, made: event.committed.map(wall) };
        let gone = |missing: &[(u64, u64)], row: &Seen| missing.iter().any(|(first, last)| (*first..=*last).contains(&row.id));
        let read = |above: u64, time: f64| -> Vec<Seen> {
            events.iter().enumerate().filter(|(_, event)| visible(event, time)).map(row)
                .filter(|row| row.id > above).collect()
        };
        let mut before = read(0, begin);
        let mut told: BTreeMap<u64, u32> = before.iter().map(|row| (row.id, 1)).collect();
        before.reverse();
        let old = before.iter().position(|row| row.made.unwrap() < wall(begin) - 303).unwrap_or(before.len());
        let low = before.get(old).map_or(0, |row| row.id);
        let mut marks = Marks::begin(low, &before[..old], at(begin), at(begin), wall(begin));
        let mut now = begin;
        let last = events.last().map_or(0.0, |event| event.taken) + 310.0;
        let more = std::iter::repeat((1.0, 0.1));
        for (pause, takes) in readings.into_iter().chain(more) {
            now += pause;
            let began = now;
            let mut above = marks.high();
            let missing: Vec<_> = marks.missing().collect();
            loop {
                let mut rows = read(above, now);
                rows.truncate(page);
                now += takes;
                for id in marks.take(&rows, at(now)).unwrap() {
                    *told.entry(id).or_default() += 1;
                }
                prop_assert!(marks.gaps.len() <= events.len());
                above = rows.last().map_or(above, |row| row.id);
                if rows.len() < page {
                    break;
                }
            }
            let mut rows = read(0, now);
            rows.retain(|row| gone(&missing, row));
            now += takes;
            for id in marks.take(&rows, at(now)).unwrap() {
                *told.entry(id).or_default() += 1;
            }
            let low = marks.low();
            marks.finish(at(began), at(now), wall(now));
            prop_assert!(marks.low() >= low, "the mark goes back");
            if began > last {
                break;
            }
        }
        // One more look after everything that can be missing is given up.
        marks.finish(at(now + 400.0), at(now + 400.0), wall(now + 400.0));
        prop_assert_eq!(marks.gaps.len(), 0);
        for row in read(0, now) {
            prop_assert_eq!(told.get(&row.id), Some(&1), "event {} of {:?}", row.id, events);
        }
        prop_assert!(told.values().all(|times| *times == 1));
    }
}
