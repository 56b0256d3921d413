//! Where a question plays: the project of an object, of one that a caller describes, or the one that the caller names.

use super::Place;
use crate::directory::{State, View};
use crate::model::id::{Id, Key};
use crate::model::query::Query;
use crate::model::schema::KindNo;
use crate::model::value::Value;

/// The project of an object: itself, the one it names, or that of the object it hangs on. Never what a caller says.
pub(in crate::engine) fn place_of(view: View<'_>, key: Key) -> Place {
    let schema = view.schema();
    let Some(row) = view.row(key) else { return Place::Unknown };
    let table = schema.table_of(row.kind());
    if table == schema.subject.project {
        return Place::Project(key);
    }
    if let Some(project) = row.project() {
        return there(view, project);
    }
    match schema.kind(table).and_then(|def| def.project_from) {
        None => Place::Site,
        Some(field) => row.cell(field).refs().first().map_or(Place::Unknown, |on| place_on(view, *on)),
    }
}

/// A project that the tracker does not have (any more) is none that anybody could be in.
fn there(view: View<'_>, project: Key) -> Place {
    match view.state(project) {
        State::Record(_) | State::Quarantined(_) => Place::Project(project),
        State::Unknown | State::Gone => Place::Unknown,
    }
}

/// The project of an object that another one hangs on; it may be a project itself.
fn place_on(view: View<'_>, on: Key) -> Place {
    if let Some(project) = view.row(on).and_then(|row| row.project()) {
        return there(view, project);
    }
    let schema = view.schema();
    // Ids that are of one type alone tell nothing of another.
    let typed = view.table(on).and_then(|table| schema.kind(table)).is_some_and(|def| !def.type_name.is_empty());
    if typed && view.table(on) != Some(schema.subject.project) {
        return Place::Unknown;
    }
    let project = view.id(on).and_then(|id| view.find(view.schema().subject.project, id));
    project.filter(|key| view.row(*key).is_some()).map_or(Place::Unknown, Place::Project)
}

/// The project of an object that a caller describes: that of what it hangs on, as the mirror has it, before any that the
/// caller names.
pub(super) fn described_place(view: View<'_>, kind: KindNo, query: &Query<'_>) -> Place {
    let schema = view.schema();
    let def = schema.kind(schema.table_of(kind));
    let property = |name: &str| query.properties.as_deref()?.get(name).filter(|value| **value != Value::Null);
    let from = def.and_then(|def| def.fields.get(usize::from(def.project_from?)));
    let told_project = def.and_then(|def| def.told_project.as_ref());
    if let Some(field) = from {
        let on = property(&field.name).map(|on| on.as_text().map(|id| hangs_on(view, field.target, &Id::from(id))));
        match on {
            Some(Some(Some(place))) => return place,
            // Nothing is said or known of it: perhaps it is of a kind that is read on first use.
            None | Some(Some(None)) if told_project.is_some() => {}
            _ => return Place::Unknown,
        }
    }
    let told = told_project.and_then(|name| property(name));
    let told = told.map(|id| id.as_text().map_or(Place::Unknown, |id| found_project(view, &Id::from(id))));
    match (told, project(view, query)) {
        (None, place) => place.or_unknown(),
        (Some(place), Place::Site) => place,
        // Two that differ tell none.
        (Some(place), named) => {
            if place == named {
                place
            } else {
                Place::Unknown
            }
        }
    }
}

/// Where the object with this id is, of the kind or of one that an id may be of instead; `None` where nobody has heard of
/// it.
fn hangs_on(view: View<'_>, kind: Option<KindNo>, id: &Id) -> Option<Place> {
    let schema = view.schema();
    let table = schema.table_of(kind?);
    let instead = schema.kind(table).into_iter().flat_map(|def| &def.links).filter(|link| link.either);
    let tables = [table].into_iter().chain(instead.map(|link| schema.table_of(link.target)));
    for key in tables.chain([schema.subject.project]).filter_map(|table| view.find(table, id)) {
        match view.state(key) {
            State::Record(_) => return Some(place_of(view, key)),
            // It is there, and where is not known.
            State::Quarantined(_) => return Some(Place::Unknown),
            State::Unknown | State::Gone => {}
        }
    }
    None
}

/// The project that the caller names.
pub(super) fn project(view: View<'_>, query: &Query<'_>) -> Place {
    query.project.as_ref().map_or(Place::Site, |id| found_project(view, id))
}

pub(super) fn found_project(view: View<'_>, id: &Id) -> Place {
    let live = |key: &Key| view.row(*key).is_some_and(|row| !row.trashed());
    let found = view.find(view.schema().subject.project, id).filter(live);
    found.map_or(Place::Unknown, Place::Project)
}

impl Place {
    fn or_unknown(self) -> Self {
        if self == Self::Site { Self::Unknown } else { self }
    }
}
