//! Reads whole tables: the small ones to be compared at once, the objects of the hierarchy page by page.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use futures_util::try_join;

use super::answer::Row;
use super::client::{Client, Failure};
use super::convert::{self, Assigned};
use super::pages::{self, Pager};
use super::query::{IDS, Query, is_id, within};
use super::table::{ASSIGNMENTS, Questions, Table};
use crate::model::change::Change;
use crate::tracker::SourceError;
use crate::tracker::parts::Parts;
use crate::tracker::progress::Progress;

/// How many small tables are read at once.
const AT_ONCE: usize = 3;
/// Tables that no workspace has empty: an empty one means that the key is not shown what is there.
const NEVER_EMPTY: [Table; 3] = [Table::User, Table::SecurityRole, Table::UserSecurityRole];

/// All small tables, and how many rows of which were read.
pub(super) async fn core(
    client: &Client,
    questions: &Questions,
    progress: &Progress,
) -> Result<Vec<(Table, Vec<Change>)>, Failure> {
    let tables = stream::iter(Table::CORE).map(|table| async move {
        let changes = whole(client, questions, table, progress).await?;
        if changes.is_empty() && NEVER_EMPTY.contains(&table) {
            return Err(empty(table));
        }
        Ok((table, changes))
    });
    tables.buffer_unordered(AT_ONCE).try_collect().await
}

/// All objects of the hierarchy with their assignments, handed over as they come.
pub(super) async fn large(
    client: &Client,
    questions: &Questions,
    progress: &Progress,
    parts: &Parts,
) -> Result<(), SourceError> {
    let Some(query) = questions.query(client, Table::Object, None).await? else { return Ok(()) };
    let mut pager = Pager::new(query);
    let mut page = pager.next(client).await?;
    while let Some(rows) = page {
        let count = u64::try_from(rows.len()).unwrap_or(0);
        progress.expect(count);
        // The next page is read while this one waits for its assignments.
        let (changes, next) = try_join!(join(client, rows), pager.next(client))?;
        progress.read(Table::Object.kind(), count);
        parts.hand_over(changes).await?;
        page = next;
    }
    Ok(())
}

/// Rows of objects with their assignments.
pub(super) async fn join(client: &Client, rows: Vec<Row>) -> Result<Vec<Change>, Failure> {
    let ids: Vec<&str> = rows.iter().filter_map(|row| row.get("id")?.as_str()).filter(|id| is_id(id)).collect();
    let queries = ids.chunks(IDS).map(assignments).collect();
    let appointments: Vec<Row> = pages::whole(client, queries).await?.into_iter().flatten().collect();
    let assigned = convert::assigned(&appointments);
    Ok(rows.iter().map(|row| convert::row(Table::Object, row, &assigned)).collect())
}

/// The question for the assignments of these objects.
pub(super) fn assignments(ids: &[&str]) -> Query {
    let filter = format!("type is \"assignment\" and {}", within("context_id", ids.iter().copied()));
    Query::filtered(ASSIGNMENTS, "Appointment", &filter)
}

/// What is wrong where a table that is never empty seems so.
pub(super) fn empty(table: Table) -> Failure {
    Failure::Refused(format!(
        "ftrack shows no {} to the API key of tracker.ftrack.user: give a key whose role may manage users and settings, and \
         that is awarded every private project",
        table.kind()
    ))
}

async fn whole(
    client: &Client,
    questions: &Questions,
    table: Table,
    progress: &Progress,
) -> Result<Vec<Change>, Failure> {
    let Some(query) = questions.query(client, table, None).await? else { return Ok(Vec::new()) };
    let (mut pager, mut changes) = (Pager::new(query), Vec::new());
    while let Some(rows) = pager.next(client).await? {
        let count = u64::try_from(rows.len()).unwrap_or(0);
        progress.expect(count);
        changes.extend(rows.iter().map(|row| convert::row(table, row, &Assigned::default())));
        progress.read(table.kind(), count);
    }
    Ok(changes)
}
