//! Flow: cached = uncached = a plain model, over random sites and roles files, while rows change, go to the trash, come back,
//! vanish and cannot be understood. The decision tables are put to the plain model too.

mod chance;
mod model;
mod rules;
mod text;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use model::{Question, Site, Who, snake};
use rules::{Link, Role, Rule, Rules, TypeRules};
use stagedoor::authorizer::{Authorizer, Clock, Feed, Options};
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::{Batch, Change};
use stagedoor::model::decision::Reason;
use stagedoor::model::id::Id;
use stagedoor::model::query::{Query, Subject};
use text::Yaml;

const PACK: &str = "policy/flow.yaml";

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The roles that the pack has built in, as the plain model reads them.
fn built_in() -> BTreeMap<String, Role> {
    text::rules(&Yaml::Null, &Yaml::file(&folder(PACK))).built_in
}

/// Asks; `told` also tells much of the resource and the call, which must change nothing.
fn ask(authorizer: &Authorizer, question: &Question, told: bool) -> Reason {
    let subject = match &question.who {
        Who::Person(id) => Subject::Person(id),
        Who::Login(text) => Subject::Login(text),
        Who::Email(text) => Subject::Email(text),
        Who::Bot(id) => Subject::Bot(id),
    };
    let mut query = Query::new(subject, &question.action, &question.kind, &question.id);
    query.field = &question.field;
    query.value = question.value.as_ref().map(|value| Cow::Owned(chance::asked_value(value)));
    query.project = question.project.as_deref().map(Id::from);
    if told {
        query.properties = Some(Cow::Owned(chance::told(&question.id)));
        query.context = Some(Cow::Owned(chance::told("1")));
        query.complete = question.field.is_empty();
    }
    authorizer.check_now(&query).expect("nothing is read on first use").decision.code
}

/// Where links lead to rows that are gone or not understood, which Flow's own never do, stagedoor knows less than the model,
/// to which such a row is just not there: it then says so, and never allows.
fn agree(model: Reason, found: Reason, question: &Question, gone: &BTreeSet<Link>) -> bool {
    // A person who is not understood may be called as anybody.
    let by_name =
        matches!(question.who, Who::Login(_) | Who::Email(_)) && gone.iter().any(|(name, _)| name == "HumanUser");
    let unsure = matches!(found, Reason::Indeterminate | Reason::Quarantined);
    model == found || unsure && !gone.is_empty() || by_name && found == Reason::SubjectUnknown
}

/// One with a large cache, one without.
fn authorizers(text: &str) -> [Arc<Authorizer>; 2] {
    [1_000_000, 0].map(|cache_capacity| {
        let policy =
            Policy::load("flow", Some(("roles.yaml", text))).unwrap_or_else(|problem| panic!("{problem}\n{text}"));
        let options = Options { cache_capacity, ..Options::default() };
        let authorizer = Authorizer::new(policy, options, Clock::system());
        authorizer.known_equal(std::time::Instant::now());
        authorizer.feed(Feed::Live);
        authorizer
    })
}

fn apply(authorizers: &[Arc<Authorizer>], changes: &[Change]) {
    for authorizer in authorizers {
        authorizer.apply(Batch::Delta(changes.to_vec()));
    }
}

fn config(cases: u32) -> ProptestConfig {
    // PROPTEST_CASES asks for more.
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { cases };
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn cached_uncached_and_plain_agree(seed in any::<u64>(), steps in 1..60_usize) {
        let chance = &mut StdRng::seed_from_u64(seed);
        let rules = chance::rules(&built_in(), chance);
        let text = rules.text();
        let authorizers = authorizers(&text);
        let mut site = chance::site();
        let mut gone = BTreeSet::new();
        apply(&authorizers, &chance::fill(&mut site, chance));
        let mut pool: Vec<_> = (0..80).map(|_| chance::question(chance)).collect();
        for _ in 0..steps {
            for question in &pool {
                let expected = model::decide(&site, &rules, question);
                let found: Vec<_> = authorizers.iter().zip([false, true]).map(|(one, told)| ask(one, question, told)).collect();
                prop_assert!(
                    found.iter().all(|found| agree(expected, *found, question, &gone)) && found[0] == found[1],
                    "{question:?}: cached, uncached {found:?}, but the model says {expected:?}\n{gone:?}\n{}{:?}\n{text}",
                    site.told(),
                    site.schema
                );
            }
            let changes = [chance::change(&mut site, &mut gone, chance)];
            apply(&authorizers, &changes);
            let at = chance.random_range(0..pool.len());
            pool[at] = chance::question(chance);
        }
    }

    #[test]
    fn conditions_hold_where_a_naive_evaluator_says_so(seed in any::<u64>()) {
        let chance = &mut StdRng::seed_from_u64(seed);
        let mut rules =
            Rules { extra_types: chance::EXTRA.map(String::from).to_vec(), built_in: built_in(), ..Rules::default() };
        for code in ["admin", "artist", "lead", "copy", "own"] {
            let seen = chance::ROWS.iter().map(|name| {
                let see = Some(Rule::When(chance::condition(name, 4, chance)));
                ((*name).to_owned(), TypeRules { see, ..TypeRules::default() })
            });
            let advanced = Some(BTreeSet::from(["see_all_projects".to_owned()]));
            rules.roles.insert(code.into(), Role { clone: None, advanced, types: seen.collect() });
        }
        let authorizers = authorizers(&rules.text());
        let mut site = chance::site();
        apply(&authorizers, &chance::fill(&mut site, chance));
        // Two who ask, and each time one change: what was answered before must not be served.
        let subjects = [chance::person(chance), chance::person(chance)];
        for _ in 0..8 {
            for (who, (name, id)) in subjects.iter().flat_map(|who| site.rows.keys().map(move |row| (who, row))) {
                let question = Question {
                    who: who.clone(),
                    action: "read".into(),
                    field: String::new(),
                    value: None,
                    kind: snake(name),
                    id: id.clone(),
                    project: None,
                };
                let expected = model::decide(&site, &rules, &question);
                let found = [ask(&authorizers[0], &question, false), ask(&authorizers[1], &question, false)];
                let seen = rules.roles.iter().map(|(code, role)| format!("{code}: {:?}\n", role.types[name.as_str()].see));
                let seen: String = seen.collect();
                prop_assert_eq!(found, [expected, expected], "{:?}\n{}{}", question, seen, site.told());
            }
            let (_, changed) = chance::edit(&mut site, chance);
            apply(&authorizers, &[changed]);
        }
    }
}

/// The tables that people read, put to the plain model: what they say and what the model says is the same.
#[test]
fn the_tables_say_what_the_model_says() {
    let cases = folder("tests/cases");
    let mut differ = Vec::new();
    let mut asked = 0;
    let mut tables: Vec<_> = std::fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    tables.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("flow-")));
    tables.sort();
    for path in tables {
        let table = Yaml::file(&path);
        let site: Site = text::site(&Yaml::file(&cases.join(table.get("studio_file").expect("a studio").text())));
        let policy = table.get("policy").map_or(Yaml::Null, |policy| Yaml::file(&cases.join(policy.text())));
        let rules = text::rules(&policy, &Yaml::file(&folder(PACK)));
        for text::Case { title, question, expected } in text::cases(&table) {
            asked += 1;
            let found = model::decide(&site, &rules, &question);
            if found != expected {
                differ.push(format!("{}: {title}: {question:?}: {expected:?}, but {found:?}", path.display()));
            }
        }
    }
    assert!(differ.is_empty(), "{} of {asked} differ:\n{}", differ.len(), differ.join("\n"));
    assert!(asked > 1_000, "{asked}");
}
