//! Throwaway measurement.
use stagedoor::authorizer::{Authorizer, Clock, Options};
use stagedoor::directory::Directory;
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::Change;
use stagedoor::model::id::{Id, Str};
use stagedoor::model::record::{Member, Record};
use stagedoor::model::value::Value;
use std::sync::Arc;
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    s.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
}
fn rss() -> u64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    s.lines().find(|l| l.starts_with("VmRSS")).unwrap().split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        / 1024
}
fn hwm() -> u64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    s.lines().find(|l| l.starts_with("VmHWM")).unwrap().split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        / 1024
}
fn uuid(kind: u32, n: u32) -> String {
    let h = (u64::from(n) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(kind);
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:04x}{:08x}",
        n,
        kind,
        h & 0xfff,
        (h >> 12) & 0xfff,
        (h >> 24) & 0xffff,
        (h >> 32) as u32
    )
}
fn main() {
    let tasks: u32 = std::env::args().nth(1).map_or(1_000_000, |n| n.parse().unwrap());
    let mode = std::env::args().nth(2).unwrap_or_default();
    let (shots, people, projects) = (tasks / 5, 5000.min(tasks), 500.min(tasks));
    let policy = Policy::load("kitsu", None).unwrap();
    let schema = Arc::clone(&policy.schema);
    let path = "/tmp/wt/disk-mirror.bin";
    if mode == "read" {
        let (c0, r0) = (cpu(), rss());
        let bytes = std::fs::read(path).unwrap();
        let c1 = cpu();
        let d = Directory::decode(schema, 1, &bytes).unwrap();
        let c2 = cpu();
        let a = Authorizer::new(policy, Options::default(), Clock::system());
        a.restore(d, std::time::Duration::ZERO);
        println!(
            "read {:.3} decode {:.3} restore {:.3} cpu s; file {} MiB; rss {} -> {} peak {}",
            c1 - c0,
            c2 - c1,
            cpu() - c2,
            bytes.len() >> 20,
            r0,
            rss(),
            hwm()
        );
        return;
    }
    let mut d = Directory::new(Arc::clone(&schema));
    let c0 = cpu();
    let p = |n: u32| uuid(1, n % people);
    d.apply((0..people).map(|n| {
        Change::Upsert(
            Record::new("person", &p(n))
                .named(&format!("Person {n}"))
                .with("active", true)
                .with("is_bot", false)
                .with("role", Value::text("user"))
                .with("email", Value::text(&format!("p{n}@studio.org")))
                .with("departments", Value::texts([uuid(9, n % 10).as_str()]))
                .with("studio_id", Value::Null),
        )
    }));
    d.apply((0..10).map(|n| {
        Change::Upsert(
            Record::new("task_type", &uuid(8, n))
                .named(&format!("Type {n}"))
                .with("department_id", Value::text(&uuid(9, n))),
        )
    }));
    d.apply((0..projects).map(|n| {
        Change::Upsert(
            Record::new("project", &uuid(2, n))
                .named(&format!("Project {n}"))
                .with("project_status_id", Value::text("open")),
        )
    }));
    d.apply((0..projects).map(|n| Change::Team {
        project: Id::from(uuid(2, n).as_str()),
        members: (0..100).map(|m| Member::new(Id::from(p(n * 10 + m).as_str()), None::<Str>)).collect(),
    }));
    for at in (0..shots).step_by(4096) {
        d.apply((at..shots.min(at + 4096)).map(|n| {
            Change::Upsert(
                Record::new("shot", &uuid(3, n))
                    .named(&format!("sh{n:06}"))
                    .in_project(&uuid(2, n % projects))
                    .with("created_by", Value::text(&p(n))),
            )
        }));
    }
    for at in (0..tasks).step_by(4096) {
        d.apply((at..tasks.min(at + 4096)).map(|n| {
            Change::Upsert(
                Record::new("task", &uuid(4, n))
                    .named("main")
                    .in_project(&uuid(2, (n / 5) % projects))
                    .with("entity_id", Value::text(&uuid(3, n / 5)))
                    .with("task_type_id", Value::text(&uuid(8, n % 10)))
                    .with("task_status_id", Value::text(&uuid(7, n % 8)))
                    .with("assigner_id", Value::text(&p(n + 7)))
                    .with("assignees", Value::texts([p(n).as_str(), p(n + 1).as_str()])),
            )
        }));
    }
    println!("built {:.2} cpu s, rss {} MiB", cpu() - c0, rss());
    let c0 = cpu();
    let mut bytes = Vec::new();
    d.encode(&mut bytes);
    println!("encode {:.3} cpu s, {} bytes, rss {} MiB", cpu() - c0, bytes.len(), rss());
    std::fs::write(path, &bytes).unwrap();
}
