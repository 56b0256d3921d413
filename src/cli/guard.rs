//! `guard log`: what the guard of a running server did.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{GuardLog, client, output};
use crate::proto::v1;
use crate::proto::v1::guard_client::GuardClient;

/// Lists the ledger.
pub(super) fn log(log: &GuardLog) -> ExitCode {
    let request = v1::GuardLogRequest { limit: log.last };
    let answer = client::ask(&log.addr, log.timeout, async |channel| {
        Ok(GuardClient::new(channel).max_decoding_message_size(MOST_BYTES).log(request).await?.into_inner())
    });
    match answer {
        Ok(v1::GuardLogResponse { dry_run, entries }) => {
            if log.json {
                entries.iter().for_each(|entry| output::say(entry_json(entry)));
            } else {
                output::say(table(&entries, dry_run));
            }
            ExitCode::SUCCESS
        }
        Err(problem) => output::fail(&problem),
    }
}

/// A thousand entries, each with a long message.
const MOST_BYTES: usize = 16 << 20;

/// For people.
pub(super) fn table(entries: &[v1::GuardLogEntry], dry_run: bool) -> String {
    let mut rows = vec![["WHEN", "RESULT", "WHAT", "WHO", "FROM", "TO", "WHY"].map(str::to_owned)];
    rows.extend(entries.iter().map(|entry| {
        let what = match (entry.kind.as_str(), entry.name.as_str()) {
            ("", _) => String::new(),
            (kind, "") => format!("{kind} {}", entry.id),
            (kind, name) => format!("{kind} {} ({name})", entry.id),
        };
        let why = [entry.restriction.as_str(), entry.detail.as_str()];
        let why: Vec<_> = why.into_iter().filter(|part| !part.is_empty()).collect();
        [
            when(entry),
            entry.result.clone(),
            what,
            entry.person.clone(),
            entry.from.clone(),
            entry.to.clone(),
            why.join(": "),
        ]
        .map(|cell| shown(&cell))
    }));
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..7).map(|column| width(column).unwrap_or(0)).collect();
    let mut lines: Vec<_> = rows
        .iter()
        .map(|row| {
            let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    if entries.is_empty() {
        lines = vec!["The guard has done nothing since the server began.".to_owned()];
    }
    if dry_run {
        lines.push(
            "A dry run: nothing is written to the tracker. Set `guard: {dry_run: false}` to have it done.".to_owned(),
        );
    }
    lines.join("\n")
}

fn when(entry: &v1::GuardLogEntry) -> String {
    entry.at.map(|at| prost_types::Timestamp { nanos: 0, ..at }.to_string()).unwrap_or_default()
}

/// Names come from the tracker: a line break or a terminal's command in one is shown, not obeyed.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn entry_json(entry: &v1::GuardLogEntry) -> Value {
    let v1::GuardLogEntry { at, result, kind, id, name, person, from, to, change, restriction, detail } = entry;
    json!({
        "type": "guard", "result": result, "at": at.map(|at| at.to_string()), "kind": kind, "id": id, "name": name,
        "person": person, "from": from, "to": to, "change": change, "restriction": restriction, "detail": detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_its_columns_in_line() {
        let entry = v1::GuardLogEntry {
            at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 5 }),
            result: "reverted".to_owned(),
            kind: "task".to_owned(),
            id: "t".to_owned(),
            name: "sh010\n\u{1b}[31m / anim".to_owned(),
            person: "ada".to_owned(),
            from: "approved".to_owned(),
            to: "wip".to_owned(),
            restriction: "approval".to_owned(),
            ..v1::GuardLogEntry::default()
        };
        let other = v1::GuardLogEntry { detail: "no".to_owned(), result: "parked".to_owned(), ..entry.clone() };
        let table = table(&[entry, other], true);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 4, "{table}");
        assert_eq!(
            lines[1],
            "2023-11-14T22:13:20Z  reverted  task t (sh010  [31m / anim)  ada  approved  wip  approval"
        );
        assert_eq!(lines[2].find("approval: no"), lines[0].find("WHY"));
        assert!(lines[3].starts_with("A dry run"));
        assert_eq!(self::table(&[], false), "The guard has done nothing since the server began.");
    }
}
