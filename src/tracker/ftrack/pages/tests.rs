//! Paging through a table that changes meanwhile, on servers that give fewer rows than asked for.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn pager() -> Pager {
    Pager::new(Query::all("id", "User"))
}

/// A page as a server gives it that caps pages.
fn page(table: &[u32], offset: u64, cap: usize) -> Page {
    let from = usize::try_from(offset).unwrap().min(table.len());
    let rows: Vec<_> = table[from..].iter().take(cap.min(PAGE as usize)).collect();
    let next = (from + rows.len() < table.len()).then(|| (from + rows.len()) as u64);
    let row = |id: &u32| json!({"__entity_type__": "User", "id": id.to_string()}).as_object().unwrap().clone();
    Page { rows: rows.into_iter().map(row).collect(), next }
}

/// Reads the table, which `change` may change before each page.
fn read(table: &mut Vec<u32>, cap: usize, mut change: impl FnMut(u32, &mut Vec<u32>)) -> Vec<u32> {
    let (mut pager, mut found, mut asked) = (pager(), Vec::new(), 0);
    while !pager.done {
        change(asked, table);
        asked += 1;
        let rows = pager.take(page(table, pager.offset, cap)).unwrap();
        found.extend(rows.iter().map(|row| id(row).unwrap().parse::<u32>().unwrap()));
        assert!(asked < 10_000, "no end");
    }
    found
}

#[test]
fn every_row_is_read_once_whatever_the_server_caps() {
    for rows in [0_u32, 1, 5, 6, 499, 500, 501, 2000] {
        for cap in [1, 2, 3, 5, 6, 100, 500, 10_000] {
            let mut table: Vec<u32> = (0..rows).collect();
            assert_eq!(read(&mut table, cap, |_, _| {}), (0..rows).collect::<Vec<_>>(), "{rows} rows, pages of {cap}");
        }
    }
}

#[test]
fn rows_that_go_meanwhile_hide_no_others() {
    for (gone, cap) in [(1, 100), (4, 100), (99, 100), (250, 100), (999, 500), (3, 7)] {
        let mut table: Vec<u32> = (0..2000).collect();
        let found = read(&mut table, cap, |asked, table| {
            if asked == 2 {
                table.drain(..gone);
            }
        });
        let missed: Vec<_> = table.iter().filter(|row| !found.contains(row)).collect();
        assert!(missed.is_empty(), "{gone} gone, pages of {cap}: {missed:?}");
    }
}

#[test]
fn a_page_of_known_rows_only_is_no_reason_to_look_less_closely() {
    let mut table: Vec<u32> = (0..10).map(|row| row * 2).collect();
    let found = read(&mut table, 5, |asked, table| match asked {
        2 => table.insert(1, 1),
        3 => drop(table.remove(0)),
        _ => {}
    });
    assert!(table.iter().filter(|row| **row != 1).all(|row| found.contains(row)), "{found:?}");
}

#[test]
fn a_server_that_does_not_get_on_is_given_up() {
    let row = |id: &str| json!({"id": id}).as_object().unwrap().clone();
    let mut stuck = pager();
    assert!(stuck.take(Page { rows: vec![row("a")], next: Some(0) }).is_err());
    let mut endless = pager();
    let outcome = (0..u64::MAX).map(|at| {
        endless
            .take(Page { rows: vec![row(&at.to_string()), row(&(at + 1).to_string())], next: Some(endless.offset + 2) })
    });
    let failed = outcome.into_iter().find_map(Result::err).unwrap();
    assert!(matches!(failed, Failure::Malformed(_)), "{failed:?}");
    let mut vanishing = pager();
    vanishing.take(page(&(0..1000).collect::<Vec<_>>(), 0, 500)).unwrap();
    vanishing.offset = u64::MAX / 2;
    let failed = (0..2000).find_map(|_| vanishing.take(Page::default()).err()).unwrap();
    assert!(matches!(failed, Failure::Unavailable(_)), "{failed:?}");
}

proptest! {
    #[test]
    fn what_stays_is_read(rows in 0_u32..60, cap in 2_usize..12, goes in prop::collection::vec((0_u32..12, 0_u32..60), 0..12), comes in prop::collection::vec((0_u32..12, 0_u32..120), 0..6)) {
        let mut table: Vec<u32> = (0..rows).map(|row| row * 2).collect();
        let stays: Vec<u32> = table.iter().copied().filter(|row| !goes.iter().any(|(_, gone)| gone * 2 == *row)).collect();
        let found = read(&mut table, cap, |asked, table| {
            table.retain(|row| !goes.iter().any(|(at, gone)| *at == asked && gone * 2 == *row));
            for (_, new) in comes.iter().filter(|(at, _)| *at == asked) {
                table.push(new * 2 + 1);
                table.sort_unstable();
            }
        });
        for row in stays {
            prop_assert!(found.contains(&row), "{row} is missed: {found:?}");
        }
    }
}
