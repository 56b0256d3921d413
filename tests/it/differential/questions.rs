//! Random questions about a studio: who may do what, over every row of the table of actions.
//!
//! A question is a Check request in the words of that table and, beside it, the request to zou that it stands for.

mod comment;
mod entity;
mod playlist;
mod project;
mod site;
mod task;

use serde_json::{Map, Value};

use super::{
    dice::{Dice, tag},
    studio::{Person, Project, Studio, project::created_by, text},
    zou::{Call, Zou},
};

/// May this person do this to that?
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// `kind.action` of the table.
    pub(crate) row: &'static str,
    /// A person's id.
    pub(crate) subject: String,
    pub(crate) action: String,
    pub(crate) field: Option<String>,
    pub(crate) value: Option<Value>,
    pub(crate) kind: String,
    /// Empty where there is nothing yet, as for `create`.
    pub(crate) id: String,
    /// Only where there is no id to find it by.
    pub(crate) project: Option<String>,
    pub(crate) properties: Map<String, Value>,
    /// zou lets this through against its own rule: here the right answer is no.
    pub(crate) hole: bool,
    pub(super) asked: Asked,
}

/// How zou is asked, and what is put back when it said yes.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(crate) call: Call,
    pub(crate) sign: Sign,
    /// Sent by the administrator after a yes; `{id}` is the id in zou's answer.
    pub(crate) undo: Vec<Call>,
    /// Questions of one lane are asked one after the other: they could disturb each other.
    pub(crate) lane: String,
    /// What is made before anything is asked, only to be destroyed by this question.
    pub(crate) victim: Option<Victim>,
}

/// How zou's yes is told from its no.
#[derive(Clone, Debug)]
pub(super) enum Sign {
    Status,
    /// 400 is the answer to anybody.
    StatusOr400,
    /// Always 200: a yes has this id in the list.
    Listed(String),
    /// Always 200 for oneself: a yes has the value in the answer.
    Kept(String, Value),
}

#[derive(Clone, Debug)]
pub(super) struct Victim {
    pub(crate) chain: Vec<Call>,
    /// Where zou cannot be told who made it: the table, and who.
    pub(crate) creator: Option<(&'static str, Option<String>)>,
}

type Maker = fn(&mut Asker, &'static str) -> Question;

/// Every action of the table, how often it comes up compared with the others, and who makes its questions.
fn rows() -> Vec<(&'static str, usize, Maker)> {
    let mut rows = Vec::new();
    for room in [project::ROWS, entity::ROWS, task::ROWS, comment::ROWS, playlist::ROWS, site::ROWS] {
        rows.extend_from_slice(room);
    }
    rows
}

/// At least `count` questions, with their victims made.
pub(crate) async fn generate(zou: &Zou, studio: &Studio, seed: u64, count: usize) -> Vec<Question> {
    let mut asker = Asker { studio, dice: Dice::new(seed ^ 0x5eed), tag: tag(), serial: 0 };
    let mut questions = Vec::new();
    while questions.len() < count {
        for (row, weight, make) in rows() {
            questions.extend((0..weight).map(|_| make(&mut asker, row)));
        }
    }
    make_victims(zou, &mut questions).await;
    questions
}

async fn make_victims(zou: &Zou, questions: &mut [Question]) {
    let waiting: Vec<_> = questions.iter_mut().filter(|question| question.asked.victim.is_some()).collect();
    let chains =
        waiting.iter().filter_map(|question| question.asked.victim.as_ref()).map(|victim| victim.chain.clone());
    let made = zou.chains(chains.collect()).await;
    let mut creators: Vec<(&str, String, Option<String>)> = Vec::new();
    for (question, answer) in waiting.into_iter().zip(made) {
        question.id = text(&answer, "id");
        question.asked.call = question.asked.call.about(&question.id);
        question.asked.undo = question.asked.undo.iter().map(|call| call.about(&question.id)).collect();
        if let Some((table, creator)) = question.asked.victim.as_ref().and_then(|victim| victim.creator.clone()) {
            creators.push((table, question.id.clone(), creator));
        }
    }
    let statements = ["entity", "playlist"].map(|table| {
        let rows = creators.iter().filter(|row| row.0 == table).map(|(_, id, creator)| (id, creator));
        created_by(table, rows)
    });
    zou.sql(&statements.join(";"));
}

/// Makes up questions.
struct Asker<'a> {
    studio: &'a Studio,
    dice: Dice,
    tag: String,
    serial: usize,
}

impl<'a> Asker<'a> {
    /// Any project, an open one more often.
    fn project(&mut self) -> &'a Project {
        let project = self.dice.pick(&self.studio.projects);
        if project.is_open || self.dice.percent(50) { project } else { self.dice.pick(&self.studio.projects) }
    }

    /// Somebody: of those close to the matter, of the team, of those who are not, or anybody at all.
    fn subject(&mut self, project: &Project, close: &[&String]) -> &'a Person {
        let studio = self.studio;
        match self.dice.below(20) {
            0..8 if !close.is_empty() => studio.person(self.dice.pick::<&String>(close)),
            8..10 => {
                let managers: Vec<_> = studio.people.iter().filter(|person| studio.manages(person, project)).collect();
                *self.dice.pick(&managers)
            }
            0..15 => {
                let team: Vec<_> =
                    studio.people.iter().filter(|person| project.team.contains_key(&person.id)).collect();
                *self.dice.pick(&team)
            }
            15..18 => {
                let others: Vec<_> =
                    studio.people.iter().filter(|person| !project.team.contains_key(&person.id)).collect();
                *self.dice.pick(&others)
            }
            _ => self.anybody(),
        }
    }

    /// Anybody; an administrator more often than there are.
    fn anybody(&mut self) -> &'a Person {
        let admins = if self.dice.percent(40) { "admin" } else { "" };
        let people: Vec<_> = self.studio.people.iter().filter(|person| person.role.starts_with(admins)).collect();
        *self.dice.pick(&people)
    }

    /// A name that nothing has yet.
    fn fresh(&mut self) -> String {
        self.serial += 1;
        format!("fresh {} {}", self.tag, self.serial)
    }
}

impl Question {
    fn new(row: &'static str, subject: &Person, id: &str, call: Call) -> Self {
        let (kind, action) = row.split_once('.').expect("kind.action");
        Self {
            row,
            subject: subject.id.clone(),
            action: action.to_owned(),
            field: None,
            value: None,
            kind: kind.to_owned(),
            id: id.to_owned(),
            project: None,
            properties: Map::new(),
            hole: false,
            asked: Asked { call, sign: Sign::Status, undo: Vec::new(), lane: String::new(), victim: None },
        }
    }

    fn lane(mut self, project: &Project) -> Self {
        self.asked.lane.clone_from(&project.id);
        self
    }

    /// About something that does not exist yet, in the project.
    fn within(mut self, project: &Project) -> Self {
        self.project = Some(project.id.clone());
        self.lane(project)
    }

    fn field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    fn value(mut self, value: impl Into<Value>) -> Self {
        self.value = Some(value.into());
        self
    }

    fn property(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.properties.insert(name.to_owned(), value.into());
        self
    }

    fn sign(mut self, sign: Sign) -> Self {
        self.asked.sign = sign;
        self
    }

    fn undo(mut self, call: Call) -> Self {
        self.asked.undo.push(call);
        self
    }

    fn hole(mut self, hole: bool, subject: &Person) -> Self {
        self.hole = hole && subject.active;
        self
    }

    /// Its object is made for it alone; `{id}` in its call is that object's.
    fn victim(mut self, chain: Vec<Call>) -> Self {
        self.asked.victim = Some(Victim { chain, creator: None });
        self
    }

    fn made_by(mut self, table: &'static str, creator: Option<String>) -> Self {
        if let Some(victim) = &mut self.asked.victim {
            victim.creator = Some((table, creator));
        }
        self
    }
}
