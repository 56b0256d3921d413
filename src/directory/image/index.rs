//! Makes the lists, names and logins of objects that were read all at once.

use super::Damaged;
use crate::directory::apply::{last_said, name, refs};
use crate::directory::tables::{Membership, Node, State, Tables};
use crate::model::id::{Key, Str};
use crate::model::schema::{FieldNo, KindNo, Schema};

/// What the records of one table are listed by.
#[derive(Debug, Default)]
struct Plan {
    /// Lists of what a field, or the project, refers to: the field, the list, whether it is kept by project.
    lists: Vec<(Option<FieldNo>, u16, bool)>,
    /// Fields whose links have another end, whatever they lead to.
    listed: Vec<FieldNo>,
    people: bool,
    named: bool,
}

impl Tables {
    /// The tables of these objects, each handle its place, and these memberships.
    pub(super) fn of(
        schema: &Schema,
        nodes: Vec<Node>,
        members: Vec<((Key, Key), Membership)>,
    ) -> Result<Self, Damaged> {
        let plans: Vec<Plan> = (0..).zip(&schema.kinds).map(|(table, _)| Plan::new(schema, table)).collect();
        let mut tables = Self::with_capacity(nodes.len());
        for (at, node) in (0_u32..).zip(&nodes) {
            if !tables.file(node, Key(at)) {
                return Err(Damaged("two objects of one id"));
            }
            if let Some(plan) = plans.get(usize::from(node.table)) {
                tables.list(schema, &nodes, plan, Key(at), node);
            }
        }
        for ((person, project), membership) in members {
            if tables.members.insert((person, project), membership).is_some() {
                return Err(Damaged("two memberships of one person"));
            }
            tables.rosters.entry(person).or_default().push(project);
            tables.rosters.entry(project).or_default().push(person);
        }
        tables.nodes = nodes;
        Ok(tables)
    }

    fn list(&mut self, schema: &Schema, nodes: &[Node], plan: &Plan, key: Key, node: &Node) {
        if matches!(node.state, State::Quarantined(None)) {
            self.odd.entry(node.table).or_default().push(key);
        }
        let Some(row) = last_said(&node.state) else { return };
        for (field, list, by_project) in &plan.lists {
            for target in refs(&node.state, *field) {
                match (by_project, row.project) {
                    (false, _) => self.backs.entry((*target, *list)).or_default().push(key),
                    (true, Some(project)) => {
                        self.backs_in.entry((*target, *list, project)).or_default().push(key);
                    }
                    (true, None) => {}
                }
            }
        }
        for field in &plan.listed {
            for target in refs(&node.state, Some(*field)) {
                let def = nodes.get(target.0 as usize).and_then(|node| schema.kind(node.table));
                let back = def.and_then(|def| def.back_from(node.table, Some(*field)));
                if let Some(list) = back {
                    self.backs.entry((*target, list)).or_default().push(key);
                }
            }
        }
        if plan.people {
            let subject = &schema.subject;
            for (field, index) in [(subject.login, &mut self.by_login), (subject.email, &mut self.by_email)] {
                if let Some(name) = name(&node.state, field) {
                    index.entry(Str::from(name)).or_default().push(key);
                }
            }
        }
        if plan.named {
            self.by_name.entry((node.table, Str::from(&*row.name))).or_default().push(key);
        }
    }
}

// === impl Plan ===

impl Plan {
    fn new(schema: &Schema, table: KindNo) -> Self {
        let Some(def) = schema.kind(table).filter(|def| def.table == table) else { return Self::default() };
        let targets = (0..).zip(&def.fields).filter_map(|(no, field)| Some((Some(no), field.target?)));
        let lists = targets.chain([(None, schema.subject.project)]).filter_map(|(field, target)| {
            let target = schema.kind(schema.table_of(target))?;
            let list = target.back_from(table, field)?;
            Some((field, list, target.backs.get(usize::from(list))?.by_project))
        });
        Self {
            lists: lists.collect(),
            listed: (0..).zip(&def.fields).filter(|(_, field)| field.listed).map(|(no, _)| no).collect(),
            people: table == schema.subject.kind,
            named: def.named,
        }
    }
}
