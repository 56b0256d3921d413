//! What is read back, what is refused and how that is said, and what is left on the disk when writing fails.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

use super::format::{open, seal};
use super::*;
use crate::authorizer::{Clock, Feed, Options, State};
use crate::engine::policy::Policy;
use crate::model::change::{Batch, Change};
use crate::model::record::Record;
use crate::model::schema::FieldDef;

const OF: &str = "kitsu https://kitsu.studio/api";

fn authorizer() -> (Arc<Authorizer>, Clock) {
    let clock = Clock::system();
    let policy = Policy::load("kitsu", None).unwrap();
    (Authorizer::new(policy, Options::default(), clock.clone()), clock)
}

fn loaded() -> (Arc<Authorizer>, Clock) {
    let (authorizer, clock) = authorizer();
    let record = Record::new("person", "ada").named("Ada").with("active", true);
    authorizer.apply(Batch::Delta(vec![Change::Upsert(record)]));
    authorizer.known_equal(Instant::now());
    authorizer.feed(Feed::Live);
    (authorizer, clock)
}

fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
    directory
}

fn keeper(directory: &TempDir) -> Keeper {
    Keeper::new(directory.path().to_owned(), OF.to_owned())
}

/// A directory with a snapshot in it.
fn written() -> (TempDir, Keeper, Arc<Authorizer>) {
    let (directory, (authorizer, _)) = (directory(), loaded());
    let keeper = keeper(&directory);
    keeper.write(&authorizer).unwrap();
    (directory, keeper, authorizer)
}

fn refused(keeper: &Keeper, schema: &Arc<Schema>, now: SystemTime) -> String {
    keeper.read(schema, now).map(|found| found.is_some()).unwrap_err().to_string()
}

#[test]
fn what_was_written_is_served_at_once_and_its_age_counts() {
    let (directory, keeper, first) = written();
    let (second, clock) = authorizer();
    assert_eq!((second.state(), second.is_restored()), (State::Loading, false));
    keeper.restore(&second);
    assert_eq!((second.state(), second.is_restored()), (State::Degraded, true));
    let (was, is) = (first.status(), second.status());
    assert_eq!((is.revision, &is.counts), (0, &was.counts), "revisions are each process's own");
    // Each process's clock is read at a moment of its own.
    let apart = was.as_of.duration_since(is.as_of).unwrap_or_else(|error| error.duration());
    assert!(apart < Duration::from_secs(1), "{apart:?}");
    // Nothing that is heard makes it young; nor is it written again, as if it were known equal.
    second.heard(None);
    assert!(second.takeable().is_none());
    assert!(matches!(keeper.write(&second), Err(Problem::NotLoaded)));
    clock.advance(Duration::from_secs(601));
    assert_eq!(second.state(), State::Stale);
    // Until the tracker is loaded.
    second.known_equal(Instant::now());
    second.feed(Feed::Live);
    assert_eq!((second.state(), second.is_restored()), (State::Live, false));
    assert!(keeper.write(&second).is_ok());
    drop(directory);
}

#[test]
fn what_a_load_brings_may_be_older_than_the_disk() {
    let (_directory, keeper, _) = written();
    let (second, _) = authorizer();
    keeper.restore(&second);
    let young = second.as_of();
    let then = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
    second.no_newer_than(Some(then));
    assert!(young.duration_since(second.as_of()).unwrap() > Duration::from_secs(50));
    second.no_newer_than(None);
    assert_eq!(second.state(), State::Stale);
}

#[test]
fn a_snapshot_is_as_old_as_the_wall_clock_says() {
    let (_directory, keeper, authorizer) = written();
    let schema = authorizer.schema();
    let (now, hour) = (SystemTime::now(), Duration::from_secs(3_600));
    let (_, as_of) = keeper.read(&schema, now + hour).unwrap().unwrap();
    let age = now.duration_since(as_of).unwrap();
    assert!(age < Duration::from_secs(60), "{age:?}");
    let (later, _) = loaded();
    later.restore(Directory::new(Arc::clone(&schema)), now - hour);
    let age = later.status().age;
    assert!(age >= hour && age < hour + Duration::from_secs(60), "{age:?}");
    assert!(refused(&keeper, &schema, now - hour).contains("it is as of a time to come: the machine's clock was set"));
    assert!(refused(&keeper, &schema, now + 10_000 * hour).contains("it is older than a year"));
}

#[test]
fn a_clock_that_was_set_makes_it_no_younger() {
    let (authorizer, clock) = loaded();
    let before = authorizer.takeable().unwrap().as_of;
    // As a machine that slept, or whose clock was put on: what was known equal then is no newer now.
    clock.advance(Duration::from_secs(100));
    assert!(authorizer.takeable().unwrap().as_of <= before);
}

#[test]
fn every_flipped_byte_and_every_cut_is_refused() {
    let (_directory, keeper, authorizer) = written();
    let whole = fs::read(keeper.file()).unwrap();
    let schema = authorizer.schema();
    assert!(open(&whole).unwrap().0.fits(OF, &schema).is_ok());
    for at in 0..whole.len() {
        assert!(open(&whole[..at]).is_err(), "cut at {at}");
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        assert!(open(&flipped).is_err(), "flipped at {at}");
    }
    let mut long = whole;
    long.push(0);
    assert!(open(&long).is_err());
}

#[test]
fn what_is_wrong_is_said_in_one_line_with_the_file_and_the_mend() {
    let (_directory, keeper, authorizer) = written();
    let schema = authorizer.schema();
    let whole = fs::read(keeper.file()).unwrap();
    let file = keeper.file().display().to_string();
    let told = |bytes: &[u8]| {
        fs::write(keeper.file(), bytes).unwrap();
        let told = refused(&keeper, &schema, SystemTime::now());
        assert!(told.starts_with(&format!("{file}: the snapshot is not used: ")), "{told}");
        assert!(told.ends_with("it is replaced after the load") && !told.contains('\n'), "{told}");
        told
    };
    assert!(told(b"studio: x\n").contains("it is no snapshot of stagedoor"));
    let mut older = whole.clone();
    older[8] = 0;
    assert!(told(&older).contains("it has format 0 and this version reads 1"));
    older[8] = 9;
    assert!(told(&older).contains("it has format 9"));
    assert!(told(&whole[..whole.len() - 1]).contains("it is cut short or has too much"));
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(told(&flipped).contains("its checksum is wrong"));
    // A body that is no mirror, under a right checksum.
    let (head, _) = open(&whole).unwrap();
    assert!(told(&[seal(&head, b"no mirror"), b"no mirror".to_vec()].concat()).contains("please report this"));
    let mut other = head;
    other.of = "ftrack https://x".to_owned();
    assert!(told(&[seal(&other, b""), Vec::new()].concat()).contains("it is of another tracker, `ftrack https://x`"));
}

#[test]
fn another_schema_is_refused_by_the_names_of_its_fields() {
    let (_directory, keeper, authorizer) = written();
    let schema = authorizer.schema();
    let told = |change: fn(&mut Schema)| {
        let mut other = Schema::clone(&schema);
        change(&mut other);
        refused(&keeper, &Arc::new(other), SystemTime::now())
    };
    let told_of_new = told(|schema| {
        let kind = &mut schema.kinds[0];
        kind.fields.push(FieldDef { name: "sg_new".into(), ..FieldDef::default() });
    });
    let kind = &schema.kinds[0].name;
    assert!(told_of_new.contains(&format!("for another policy or version: it lacks {kind}.sg_new;")), "{told_of_new}");
    let told_of_old = told(|schema| drop(schema.kinds[0].fields.pop()));
    assert!(told_of_old.contains(", which is not mirrored now;"), "{told_of_old}");
    let told_of_link = told(|schema| schema.kinds[0].named = !schema.kinds[0].named);
    assert!(told_of_link.contains("its fields refer to each other otherwise"), "{told_of_link}");
}

#[test]
fn what_others_can_write_to_is_neither_read_nor_written() {
    let (directory, keeper, authorizer) = written();
    let schema = authorizer.schema();
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    assert_eq!(fs::metadata(keeper.file()).unwrap().permissions().mode() & 0o777, 0o600);
    mode(keeper.file(), 0o620);
    let told = refused(&keeper, &schema, SystemTime::now());
    assert!(told.contains("others can write to it (its mode is 620)") && told.contains("`chmod 600 "), "{told}");
    // The next one is nobody else's again.
    keeper.write(&authorizer).unwrap();
    assert!(keeper.read(&schema, SystemTime::now()).is_ok());
    mode(directory.path(), 0o777);
    let told = refused(&keeper, &schema, SystemTime::now());
    assert!(told.contains("(its mode is 777)") && told.contains("`chmod 700 "), "{told}");
    assert_eq!(keeper.write(&authorizer).unwrap_err().to_string(), told);
}

#[test]
fn a_directory_is_made_but_no_more_than_one() {
    let (parent, (authorizer, _)) = (directory(), loaded());
    let keeper = Keeper::new(parent.path().join("snapshots"), OF.to_owned());
    assert!(keeper.read(&authorizer.schema(), SystemTime::now()).unwrap().is_none());
    keeper.write(&authorizer).unwrap();
    let made = fs::metadata(parent.path().join("snapshots")).unwrap();
    assert_eq!(made.permissions().mode() & 0o777, 0o700);
    let lost = Keeper::new(parent.path().join("a/b"), OF.to_owned());
    assert!(lost.write(&authorizer).unwrap_err().to_string().contains("a/b: cannot be made: No such file"));
}

#[test]
fn what_fails_leaves_the_old_one_and_is_said_once() {
    let (directory, keeper, authorizer) = written();
    let old = fs::read(keeper.file()).unwrap();
    let beside = directory.path().join("mirror.snapshot.new");
    // A file that a killed process left is removed.
    fs::write(&beside, b"half a snap").unwrap();
    keeper.write(&authorizer).unwrap();
    assert!(!beside.exists());
    // What cannot be removed or written.
    fs::create_dir(&beside).unwrap();
    let said = |keeper: &Keeper| keeper.last.lock().said.clone();
    keeper.write_and_say(&authorizer);
    let first = said(&keeper).unwrap();
    assert!(first.contains("mirror.snapshot.new: cannot be removed: "), "{first}");
    assert!(!keeper.is_due(&authorizer), "not before a minute has passed");
    assert!(open(&fs::read(keeper.file()).unwrap()).is_ok());
    assert_eq!(fs::read(keeper.file()).unwrap().len(), old.len());
    fs::remove_dir(&beside).unwrap();
    keeper.write_and_say(&authorizer);
    assert_eq!(said(&keeper), None);
}

#[test]
fn it_is_written_at_once_and_then_seldom() {
    let (directory, (empty, _)) = (directory(), authorizer());
    let keeper = keeper(&directory);
    assert!(!keeper.is_due(&empty), "nothing was loaded");
    keeper.finish(&empty);
    assert!(!keeper.file().exists());
    let (authorizer, _) = loaded();
    assert!(keeper.is_due(&authorizer));
    keeper.write_and_say(&authorizer);
    assert!(!keeper.is_due(&authorizer));
    let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
    keeper.last.lock().ended = Some((ago(61), Duration::from_millis(100)));
    assert!(!keeper.is_due(&authorizer), "nothing is new");
    authorizer.known_equal(Instant::now());
    assert!(!keeper.is_due(&authorizer), "it is known equal as of a little later");
    authorizer.known_equal(Instant::now() + authorizer.max_staleness() / 3);
    assert!(keeper.is_due(&authorizer), "the written one is nearer to being stale");
    authorizer.apply(Batch::Delta(vec![Change::Upsert(Record::new("person", "bo").named("Bo"))]));
    assert!(keeper.is_due(&authorizer), "and so is one that something changed after");
    keeper.last.lock().ended = Some((ago(61), Duration::from_secs(1)));
    assert!(!keeper.is_due(&authorizer), "it takes long");
    // At the end it is written all the same.
    keeper.finish(&authorizer);
    assert!(!keeper.last.lock().is_old(&authorizer, Duration::ZERO));
}
