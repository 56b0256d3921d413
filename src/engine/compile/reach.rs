//! Compiles where rights come from and how far they reach.

use rustc_hash::FxHashMap;

use super::{Names, Scope};
use crate::engine::condition::{self, Condition};
use crate::engine::parse::{GrantSource, Named, RightsSource};
use crate::engine::path;
use crate::engine::policy::{Atom, RightsFrom, RoleRights, Test};
use crate::engine::roles::{Right, RoleBits, RoleSet};
use crate::engine::said::Template;
use crate::model::id::Str;
use crate::yaml::{Problems, suggestion};

/// The rights of a pack: each reach and its sources.
pub(super) fn rights(names: &Names<'_>, sets: Vec<RoleSet>, problems: &mut Problems) -> RoleRights {
    let [_, pack] = names.rights;
    for kind in pack.records.iter().chain(&pack.roles) {
        if names.schema.kind_no(&kind.what).is_none() {
            problems.add(kind.place, format!("there is no kind `{}`", kind.what));
        }
    }
    let known = || pack.reaches.iter().map(|reach| reach.name.what.as_str());
    let number = |name: &Named<Str>, problems: &mut Problems| {
        let at = known().position(|reach| reach == name.what);
        if at.is_none() {
            let hint = suggestion(&name.what, known());
            problems.add(name.place, format!("there is no reach `{}`{hint}", name.what));
        }
        at.and_then(|at| u16::try_from(at).ok())
    };
    let members = pack.members.iter().filter_map(|name| number(name, problems)).collect();
    let reaches = pack
        .reaches
        .iter()
        .map(|reach| reach.from.iter().filter_map(|source| from(source, names, problems)).collect::<Vec<_>>());
    let reaches = reaches.collect();
    let bits = |set: &RoleSet| set.grants.iter().fold(0, |bits, slug| bits | names.asked(slug).bit);
    let sets = sets.into_iter().map(|set| (set.name.clone(), RoleBits { bits: bits(&set), set })).collect();
    let roles = pack.roles.as_ref().and_then(|kind| names.schema.kind_no(&kind.what));
    RoleRights { reaches, members, sets, roles }
}

fn from(source: &GrantSource, names: &Names<'_>, problems: &mut Problems) -> Option<RightsFrom> {
    let kind = names.schema.subject.project;
    let scope = Scope { schema: names.schema, paths: &names.paths, kind, value: None, it: None };
    let mut path = |text: &Named<String>, scope: &Scope<'_>| {
        path::compile(&text.what, scope).map_err(|problem| problems.add(text.place, problem)).ok()
    };
    let Some((over, when)) = &source.over else {
        return Some(RightsFrom { over: None, take: path(&source.take, &scope)?.0 });
    };
    let (over, it) = path(over, &scope)?;
    let scope = Scope { it, ..scope };
    let (take, _) = path(&source.take, &scope)?;
    let when = condition::compile(when, &scope, problems)?;
    Some(RightsFrom { over: Some((over, when)), take })
}

/// Words that name several reaches, and what each stands for: the right is put behind each of the reaches.
pub(super) fn terms(pack: &RightsSource) -> FxHashMap<String, Vec<String>> {
    let is_reach = |word: &str| pack.reaches.iter().any(|reach| reach.name.what == word);
    let mut terms = FxHashMap::default();
    for (name, any) in &pack.reach_terms {
        let rights = pack.grantable.iter().map(|(slug, ..)| format!(":{}", slug.what)).chain([String::new()]);
        for right in rights {
            let with = |word: &str| if is_reach(word) { format!("{word}{right}") } else { word.to_owned() };
            let with_all =
                |text: &Named<String>| text.what.split('+').map(str::trim).map(with).collect::<Vec<_>>().join(" + ");
            terms.insert(format!("{}{right}", name.what), any.iter().map(with_all).collect());
        }
    }
    terms
}

impl Names<'_> {
    /// A right as rules ask for it.
    pub(super) fn asked(&self, slug: &str) -> Right {
        let [_, pack] = self.rights;
        Right::new(slug, pack.grantable.iter().position(|(known, ..)| known.what == slug))
    }

    /// A word of a reach: its number and, behind the colon, the right.
    pub(super) fn reach_word<'w>(&self, word: &'w str) -> Option<(u16, Option<&'w str>)> {
        let (name, right) = word.split_once(':').map_or((word, None), |(name, right)| (name, Some(right)));
        let [_, pack] = self.rights;
        // `right:` is a word of every pack.
        let at = pack.reaches.iter().position(|reach| reach.name.what == name && name != "right")?;
        Some((u16::try_from(at).ok()?, right))
    }

    /// Whether the word is a reach, alone or with a right that roles can be given.
    pub(super) fn knows_reach(&self, word: &str) -> bool {
        let [_, pack] = self.rights;
        let grantable = |right: &str| pack.grantable.iter().any(|(slug, ..)| slug.what == right);
        self.reach_word(word).is_some_and(|(_, right)| right.is_none_or(grantable))
    }

    /// The complaint about a right that no role can be given, where the word before the colon is a reach or stands for some.
    pub(super) fn no_grantable(&self, word: &str) -> Option<String> {
        let [_, pack] = self.rights;
        let (name, right) = word.split_once(':')?;
        let reaches = pack
            .reaches
            .iter()
            .map(|reach| &reach.name.what)
            .chain(pack.reach_terms.iter().map(|(name, _)| &name.what));
        if !reaches.into_iter().any(|reach| reach == name && name != "right") {
            return None;
        }
        let hint = suggestion(right, pack.grantable.iter().map(|(slug, ..)| slug.what.as_str()));
        Some(format!("there is no right `{right}`{hint}"))
    }

    /// The atom for a word of a reach.
    pub(super) fn reach_atom(&self, word: &str, scope: &Scope<'_>) -> Result<Option<Atom>, String> {
        let Some((reach, right)) = self.reach_word(word) else { return Ok(None) };
        let [_, pack] = self.rights;
        let title = right.and_then(|right| pack.grantable.iter().find(|(slug, ..)| slug.what == right));
        let title = title.map_or("", |(_, title, _)| title.as_str());
        let test = Test::Condition(Condition::Right { reach, right: right.map(|right| self.asked(right)) });
        let says = pack.reaches.get(usize::from(reach)).map_or("", |reach| reach.says.as_str());
        let (says, no, grant) = match right {
            None => (format!("has {says}"), format!("{{subject}} does not have {says}"), says.to_owned()),
            Some(right) => (
                format!("has \"{title}\" by {says}"),
                format!("{{subject}} does not have \"{title}\" ({right}) by {says}"),
                format!("{says} with the permission \"{title}\" ({right})"),
            ),
        };
        Ok(Some(Atom {
            name: Str::from(word),
            test,
            says: Str::from(says),
            no: Some(Template::compile(&no, scope)?),
            grant: Some(Template::compile(&grant, scope)?),
        }))
    }

    /// The number of the reach that `right:` asks for.
    pub(super) fn plain_reach(&self) -> Option<u16> {
        let [_, pack] = self.rights;
        let at = pack.reaches.iter().position(|reach| reach.name.what == "right")?;
        u16::try_from(at).ok()
    }
}
