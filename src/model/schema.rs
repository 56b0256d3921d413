//! Which kinds of object a tracker has, which of their fields are mirrored, and how they refer to each other.
//!
//! A pack declares it; the directory stores by it; the engine walks along it.

use super::id::Str;

/// The kinds of one tracker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    pub kinds: Vec<KindDef>,
    /// What stands for the kinds that a studio adds to those of the pack.
    pub others: Option<OthersDef>,
    pub subject: SubjectDef,
}

/// Kinds of object that only the mirror tells of: each is a word that callers may use, and one kind here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OthersDef {
    pub kind: KindNo,
    /// The field that holds which of them an object is.
    pub named_by: FieldNo,
    /// The kind whose records' ids are these words.
    pub listed_as: KindNo,
}

/// A kind of object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KindDef {
    pub name: Str,
    /// What the tracker calls it in links ("HumanUser"), where objects of any kind can be linked to; `*`: all kinds that are
    /// none of the others. Empty where links name no kinds.
    pub type_name: Str,
    /// Known for its name alone: no object of it is ever mirrored.
    pub rowless: bool,
    /// The kind under whose ids this one is filed: itself, or, for a shot or an asset, `entity`.
    pub table: KindNo,
    pub fields: Vec<FieldDef>,
    /// Lists of objects of other kinds that refer to this one.
    pub backs: Vec<BackDef>,
    /// Objects of another kind that have this object's own id: "the mentions of this task".
    pub links: Vec<LinkDef>,
    /// The field whose object's project is this one's too, where the tracker's record names no project itself.
    pub project_from: Option<FieldNo>,
    /// A field with more projects that the object belongs to.
    pub more_projects: Option<FieldNo>,
    /// Read from the tracker on first use rather than mirrored.
    pub lazy: bool,
    /// What callers tell of an object counts where the mirror does not hold it.
    pub told: bool,
    /// The field that holds whatever else the object has, by name.
    pub attributes: Option<FieldNo>,
    /// Whether objects are found by name too.
    pub named: bool,
    /// The field of a caller's `properties` that names the project of an object that the mirror does not hold.
    pub told_project: Option<Str>,
    /// How an object is called in sentences, for example `{task_type_id} / {entity_id}`. Empty: its name.
    pub label: Str,
}

/// A field of a kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldDef {
    pub name: Str,
    /// The kind that the field's ids refer to; `None` for plain values.
    pub target: Option<KindNo>,
    /// Holds a value of any shape, as it came.
    pub any: bool,
    /// Holds one id, never a list.
    pub one: bool,
    /// Holds plain values, or links to objects of whatever kind each link names.
    pub link: bool,
    /// Some kind lists those that link to it by this field.
    pub listed: bool,
}

/// A reverse reference: "the tasks of this entity".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BackDef {
    pub name: Str,
    /// The kind whose field refers here.
    pub from: KindNo,
    /// The number of that field; `None`: the project that the record belongs to.
    pub field: Option<FieldNo>,
    /// Kept apart by the project of those that refer: "the tasks of this person in a project".
    pub by_project: bool,
}

/// A record of another kind about the same object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkDef {
    pub name: Str,
    pub target: KindNo,
    /// The id may be of either kind; otherwise both records are about one object.
    pub either: bool,
}

/// Which kind and fields tell about a subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubjectDef {
    pub kind: KindNo,
    /// What the field must hold for the person to act at all; `None`: true.
    pub active: FieldNo,
    pub active_is: Option<Str>,
    /// The site-wide role.
    pub role: Option<FieldNo>,
    /// What tells scripts and bots from people.
    pub bot: Option<BotDef>,
    pub login: Option<FieldNo>,
    pub email: Option<FieldNo>,
    /// The kind of the projects that teams belong to.
    pub project: KindNo,
    /// The kind of the roles that a member has in a project, where roles are records.
    pub member_role: Option<KindNo>,
    /// Site-wide roles that no project role replaces.
    pub fixed_roles: Vec<Str>,
}

/// How scripts and bots are told from people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BotDef {
    /// By a field of the person that is true.
    Flag(FieldNo),
    /// They are of a kind of their own, with ids of its own.
    Apart(KindNo),
    /// They are another kind in the same table; one that has a person in the field acts as that person.
    Kind { kind: KindNo, person: FieldNo },
}

/// The number of a kind within the schema.
pub type KindNo = u16;
/// The number of a field within its kind.
pub type FieldNo = u16;

// === impl Schema ===

impl Schema {
    /// The number of a kind by name.
    pub fn kind_no(&self, name: &str) -> Option<KindNo> {
        let at = self.kinds.iter().position(|kind| kind.name == name)?;
        KindNo::try_from(at).ok()
    }

    /// A kind by its number.
    pub fn kind(&self, no: KindNo) -> Option<&KindDef> {
        self.kinds.get(usize::from(no))
    }

    /// The kind under whose ids `no` is filed.
    pub fn table_of(&self, no: KindNo) -> KindNo {
        self.kind(no).map_or(no, |kind| kind.table)
    }

    /// What another schema has and this one has not, in words; `None` where they are the same.
    pub fn lacks(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let mut new = Vec::new();
        for kind in &other.kinds {
            let known = self.kinds.iter().find(|known| known.name == kind.name);
            let fields = kind.fields.iter().map(|field| &field.name).chain(kind.backs.iter().map(|back| &back.name));
            match known {
                None => new.push(kind.name.to_string()),
                Some(known) => {
                    let known = |name: &Str| known.field_no(name).is_some() || known.back_no(name).is_some();
                    new.extend(fields.filter(|name| !known(name)).map(|name| format!("{}.{name}", kind.name)));
                }
            }
        }
        if new.is_empty() {
            new.push("less than is mirrored now".to_owned());
        }
        Some(new.join(", "))
    }

    /// The kind that a link calls so.
    pub fn linked_kind(&self, type_name: &str) -> Option<KindNo> {
        let called = |name: &str| self.kinds.iter().position(|kind| kind.type_name == name);
        let at = called(type_name).filter(|_| type_name != "*" && !type_name.is_empty()).or_else(|| called("*"))?;
        KindNo::try_from(at).ok()
    }

    /// A kind's name; empty for a number that the schema does not have.
    pub fn kind_name(&self, no: KindNo) -> &str {
        self.kind(no).map_or("", |kind| kind.name.as_str())
    }
}

impl KindDef {
    /// The number of a field by name.
    pub fn field_no(&self, name: &str) -> Option<FieldNo> {
        let at = self.fields.iter().position(|field| field.name == name)?;
        FieldNo::try_from(at).ok()
    }

    /// The number of a reverse reference by name.
    pub fn back_no(&self, name: &str) -> Option<u16> {
        let at = self.backs.iter().position(|back| back.name == name)?;
        u16::try_from(at).ok()
    }
}
