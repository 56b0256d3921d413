//! What `tests/instructions` counts: each case does one thing many times over inside `measured`, and callgrind counts the
//! instructions of that function alone, anew for each call of it.
//!
//! ```text
//! cases, in order ─► warm up ─► measured ─► one line on stdout: name, how many times, name of its floor
//! ```
//!
//! Wire to wire is: a request's bytes to the response's bytes, through the service that every connection calls, without a
//! connection. The floor is a service of the same messages that decides nothing: it reads the request, clones an answer and
//! writes it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    missing_debug_implementations,
    reason = "a measurement that fails says so"
)]

#[path = "../benches/common.rs"]
mod common;
#[path = "instructions/floor.rs"]
mod floor;
#[path = "instructions/wire.rs"]
mod wire;

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use common::{ADMIN, MANAGER, STUDIO, Studio, VENDOR, anew, person, task};
use stagedoor::authorizer::{Authorizer, Options};
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::{Batch, Change};
use stagedoor::model::id::Id;
use stagedoor::model::query::{Query, Subject};
use stagedoor::model::record::Member;
use stagedoor::model::value::Value;
use stagedoor::serve::door::Door;
use stagedoor::serve::drain::Drain;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As `STUDIO`, with so few tasks that it is made in no time where every instruction is counted.
const SMALL: Studio = Studio { tasks: 1_000, people: 100, smallest_team: 100, largest_team: 100, ..STUDIO };
const TIMES: usize = 1_000;
const CALLS: usize = 100;
const BATCH: usize = 50;
const IN_FLIGHT: usize = 64;

/// What is counted. Its name is the only one that `tests/instructions` knows.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
}

fn count(case: &str, floor: &str, times: usize, mut work: impl FnMut()) {
    measured(&mut work);
    println!("{case}\t{times}\t{floor}");
}

fn main() {
    kitsu();
    ftrack();
    flow();
    limecraft();
    applying();
    let runtime = Builder::new_current_thread().enable_all().build().expect("builds");
    wire_to_wire(&runtime);
}

/// One question, answered from the cache, and by an authorizer that keeps nothing.
fn ask(pack: &str, name: &str, allowed: bool, [cached, uncached]: &[Arc<Authorizer>; 2], query: &Query<'_>) {
    for (how, authorizer) in [("cached", cached), ("anew", uncached)] {
        for _ in 0..3 {
            let answer = authorizer.check_now(query).expect("nothing is pending");
            assert_eq!(answer.decision.allowed(), allowed, "{pack}: {name}");
        }
        count(&format!("{pack}, {how}: {name}"), "-", TIMES, || {
            for _ in 0..TIMES {
                black_box(authorizer.check_now(black_box(query)));
            }
        });
    }
}

fn both(make: impl Fn() -> (Policy, Batch)) -> [Arc<Authorizer>; 2] {
    [Options::default(), anew()].map(|options| {
        let (policy, all) = make();
        common::live(policy, all, options)
    })
}

fn small(options: Options) -> Arc<Authorizer> {
    common::live(common::policy(), Batch::Delta(SMALL.changes().chain(SMALL.mentions()).collect()), options)
}

fn kitsu() {
    let authorizers = [Options::default(), anew()].map(small);
    for (name, who, action, allowed) in [
        ("admin deletes", ADMIN, "delete", true),
        ("manager comments", MANAGER, "comment", true),
        ("assigned artist comments", 5, "comment", true),
        ("vendor reads, by the shot's tasks", VENDOR, "read", true),
        ("other artist comments: denied", 50, "comment", false),
    ] {
        let (who, task) = (person(who), task(0));
        ask("kitsu", name, allowed, &authorizers, &Query::new(Subject::Person(&who), action, "task", &task));
    }
}

fn ftrack() {
    let authorizers = both(|| {
        let (policy, workspace) = common::ftrack();
        (policy, Batch::Snapshot(workspace))
    });
    for (name, who, action, id, value, allowed) in [
        ("a role on all open projects", "user", "set_status", "comp", None, true),
        ("assigned through a group", "lighter", "set_status", "light", None, true),
        ("restricted status", "pm", "set_status", "comp", Some("Approved"), true),
        ("no role reaches the project: denied", "idle", "read", "comp", None, false),
    ] {
        let mut query = Query::new(Subject::Person(who), action, "task", id);
        query.value = value.map(|value| Cow::Owned(Value::text(value)));
        ask("ftrack", name, allowed, &authorizers, &query);
    }
}

fn flow() {
    let authorizers = both(|| {
        let (policy, site) = common::flow();
        (policy, Batch::Snapshot(site))
    });
    for (name, who, action, field, allowed) in [
        ("yes for every type", "102", "read", "", true),
        ("a field by a condition", "103", "update", "sg_status_list", true),
        ("no project: denied", "107", "read", "", false),
    ] {
        let mut query = Query::new(Subject::Person(who), action, "task", "1001");
        query.field = field;
        ask("flow", name, allowed, &authorizers, &query);
    }
}

fn limecraft() {
    let authorizers = both(|| {
        let (policy, production) = common::limecraft(200);
        (policy, Batch::Delta(production))
    });
    let object = Value::Map(vec![("objectType".into(), Value::text("Draft")), ("title".into(), Value::text("t1"))]);
    let query = |action| Query {
        project: Some(Id::from("1")),
        properties: Some(Cow::Borrowed(&object)),
        complete: true,
        ..Query::new(Subject::Person("ann"), action, "eo", "o")
    };
    ask("limecraft", "rights and two filters", true, &authorizers, &query("b0"));
    ask("limecraft", "rights: denied", false, &authorizers, &query("b1"));
}

/// Changes, while decisions about what they change are cached.
fn applying() {
    let authorizer = small(Options::default());
    let people: Vec<_> = (5..SMALL.people).map(person).collect();
    let about = task(0);
    let flipped: Vec<_> = (0..TIMES)
        .map(|round| {
            let more = (round % 2 == 1).then_some(7);
            vec![Change::Upsert(SMALL.task_record(0, SMALL.assignees(0).chain(more)))]
        })
        .collect();
    let same = vec![vec![Change::Upsert(SMALL.task_record(1, SMALL.assignees(1)))]; TIMES];
    let joined: Vec<_> = (0..TIMES)
        .map(|round| {
            let (project, person) = (Id::from(common::project(0).as_str()), Id::from(person(5).as_str()));
            vec![match round % 2 {
                0 => Change::Leave { project, person },
                _ => Change::Join { project, member: Member::new(person, None) },
            }]
        })
        .collect();
    for (name, changes) in
        [("a task as it is", same), ("an assignment", flipped), ("a person leaves a project, and joins", joined)]
    {
        for who in &people {
            authorizer.check_now(&Query::new(Subject::Person(who), "comment", "task", &about));
        }
        let mut changes = changes.into_iter();
        count(&format!("apply: {name}"), "-", TIMES, || {
            for change in changes.by_ref() {
                black_box(authorizer.apply(Batch::Delta(change)));
            }
        });
    }
}

fn wire_to_wire(runtime: &Runtime) {
    let [mut cached, mut uncached] =
        [Options::default(), anew()].map(|options| Door::new(small(options), Drain::new(Duration::ZERO)));
    let (who, about): (_, Vec<_>) = (person(5), (0..BATCH).map(task).collect());
    let check = wire::framed(&wire::question(&who, "comment", &about[0]));
    let batch = wire::framed(&wire::batch(about.iter().map(|task| wire::question(&who, "comment", task))));
    let stream: Vec<u8> = about
        .iter()
        .cycle()
        .take(IN_FLIGHT)
        .flat_map(|task| wire::framed(&wire::question(&who, "comment", task)))
        .collect();
    let mut nothing = runtime.block_on(floor::Floor::of(&mut cached, &check, &batch));
    for (method, floor, bytes, calls, items) in [
        ("Check", "Check", check.clone(), CALLS * 4, 1),
        ("BatchCheck", "BatchCheck of 50, an item", batch, CALLS / 4, BATCH),
        ("CheckStream", "CheckStream, 64 in flight, an item", stream.into(), CALLS / 4, IN_FLIGHT),
    ] {
        let floor_name = format!("wire, floor: {floor}");
        for warm in [true, false] {
            let requests = wire::requests(method, &bytes, calls);
            let (name, times) = (floor_name.as_str(), calls * items);
            measure(warm, name, "-", times, || runtime.block_on(wire::call_all(&mut nothing, requests)));
            for (how, door) in [("cached", &mut cached), ("anew", &mut uncached)] {
                let requests = wire::requests(method, &bytes, calls);
                let name = format!("wire, {how}: {floor}");
                measure(warm, &name, &floor_name, times, || runtime.block_on(wire::call_all(door, requests)));
            }
        }
    }
}

/// A warm-up is not counted.
fn measure(warm: bool, case: &str, floor: &str, times: usize, work: impl FnOnce()) {
    let mut work = Some(work);
    let mut once = || work.take().into_iter().for_each(|work| work());
    if warm { once() } else { count(case, floor, times, once) }
}
