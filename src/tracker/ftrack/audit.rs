//! Asks what ftrack does tell of roles: which there are, and what it says that their holders may do.
//!
//! A role's own list is not readable. What is: the permissions of whoever asks; and, where the key may speak for other
//! users (only reading), theirs. Each of these conversations has a session of its own that is left again, and that
//! nothing else shares.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::answer::Row;
use super::client::{Client, Cookie, Failure};
use super::query::{Query, is_id, within};
use super::table::Table;
use super::{Ftrack, load, pages};
use crate::model::id::Str;
use crate::tracker::SourceError;
use crate::tracker::roles::{Told, ToldPerson, ToldRole};

/// The type of roles that only API keys have.
const API: &str = "API";
/// How many people are spoken for, at most: one for each role.
const MOST_PEOPLE: usize = 100;
/// How many permissions of one person are looked at.
const MOST_PERMISSIONS: usize = 1000;

/// Whoever ftrack takes the asker for.
struct Caller {
    id: String,
    username: String,
    /// The key, where it is nobody's own.
    global_key: Option<String>,
    permissions: Vec<Str>,
}

/// The tables of roles, as far as they are needed.
struct Tables {
    roles: Vec<ToldRole>,
    /// User -> the ids of the roles held, without those for API keys, which count for nothing on a person.
    held: BTreeMap<String, Vec<Str>>,
    /// The ids and names of the active users.
    active: BTreeMap<String, String>,
}

// === impl Ftrack ===

impl Ftrack {
    /// The roles that there are.
    ///
    /// # Errors
    /// Where ftrack is not reached, or does not show them to this key.
    pub async fn tell_roles(&self) -> Result<Vec<ToldRole>, SourceError> {
        let rows = pages::whole(&self.shared.client, vec![Query::all("id, name, type", "SecurityRole")]).await?;
        Ok(roles(rows.first().map(Vec::as_slice).unwrap_or_default())?)
    }

    /// The roles that there are, and what their holders may do.
    ///
    /// # Errors
    /// As [`Self::tell_roles`]. What else is not told is named in the answer.
    pub async fn tell_permissions(&self) -> Result<Told, SourceError> {
        let client = &self.shared.client;
        let Tables { roles, held, active } = tables(client).await?;
        let mut told = Told { roles, ..Told::default() };
        let answers = client.ask(&[who()]).await?;
        let Some(caller) = answers.first().and_then(caller) else {
            told.silent.push("the server does not say what the API key may do".to_owned());
            return Ok(told);
        };
        let (name, of_caller) = match &caller.global_key {
            None => (caller.username.clone(), Some(held.get(&caller.id).cloned().unwrap_or_default())),
            Some(key) => (format!("the API key of {}", caller.username), key_roles(client, key).await),
        };
        match of_caller {
            Some(roles) => told.people.push(ToldPerson { name, roles, permissions: caller.permissions }),
            None => told.silent.push(format!("the server does not say which roles {name} has")),
        }
        for (id, roles) in holders(&told.roles, &held, &active, &caller.id) {
            let name = active.get(&id).cloned().unwrap_or_default();
            match speak_for(client, &id).await {
                Ok(permissions) => told.people.push(ToldPerson { name, roles, permissions }),
                Err(why) => {
                    // It would say the same of the next.
                    told.silent.push(format!("what others than the API key's own user may do is not told: {why}"));
                    break;
                }
            }
        }
        Ok(told)
    }
}

async fn tables(client: &Client) -> Result<Tables, Failure> {
    let queries = vec![
        Query::all("id, name, type", "SecurityRole"),
        Query::all("id, user_id, security_role_id", "UserSecurityRole"),
        Query::all("id, username, is_active", "User"),
    ];
    let mut rows = pages::whole(client, queries).await?.into_iter();
    let mut next = || rows.next().unwrap_or_default();
    let (roles, bindings, users) = (roles(&next())?, next(), next());
    let mut held: BTreeMap<String, Vec<Str>> = BTreeMap::new();
    for row in &bindings {
        let for_keys = |id: &str| roles.iter().any(|role| role.id == id && role.kind == API);
        if let (Some(user), Some(role)) = (text(row, "user_id"), text(row, "security_role_id"))
            && !for_keys(role)
        {
            held.entry(user.to_owned()).or_default().push(role.into());
        }
    }
    let active = users.iter().filter(|row| row.get("is_active").and_then(Json::as_bool) == Some(true));
    let named = |row: &Row| Some((text(row, "id")?.to_owned(), text(row, "username")?.to_owned()));
    Ok(Tables { roles, held, active: active.filter_map(named).collect() })
}

fn roles(rows: &[Row]) -> Result<Vec<ToldRole>, Failure> {
    let role = |row: &Row| {
        let kind = text(row, "type").unwrap_or_default().into();
        Some(ToldRole { id: text(row, "id")?.into(), name: text(row, "name")?.into(), kind })
    };
    let mut roles: Vec<ToldRole> = rows.iter().filter_map(role).collect();
    if roles.is_empty() {
        return Err(load::empty(Table::SecurityRole));
    }
    roles.sort_by(|one, other| one.name.cmp(&other.name).then_with(|| one.id.cmp(&other.id)));
    Ok(roles)
}

/// The roles of a global key; `None` where the server does not tell.
async fn key_roles(client: &Client, key: &str) -> Option<Vec<Str>> {
    if !is_id(key) {
        return None;
    }
    let query = Query::filtered("id, roles.id", "ApiKey", &within("id", [key]));
    let rows = pages::whole(client, vec![query]).await.ok()?;
    let roles = rows.first()?.first()?.get("roles")?.as_array()?;
    Some(roles.iter().filter_map(|role| Some(role.get("id")?.as_str()?.into())).collect())
}

/// For each role somebody active who holds it, best nobody who holds others too; nobody twice.
fn holders(
    roles: &[ToldRole],
    held: &BTreeMap<String, Vec<Str>>,
    active: &BTreeMap<String, String>,
    caller: &str,
) -> BTreeMap<String, Vec<Str>> {
    let mut chosen = BTreeMap::new();
    for role in roles.iter().filter(|role| role.kind != API) {
        let others = held.iter().filter(|(user, _)| *user != caller && is_id(user) && active.contains_key(*user));
        let holder = others.filter(|(_, held)| held.contains(&role.id)).min_by_key(|(_, held)| held.len());
        if let Some((user, held)) = holder.filter(|_| chosen.len() < MOST_PEOPLE) {
            chosen.insert(user.clone(), held.clone());
        }
    }
    chosen
}

/// What a user may do, asked in his name in a session of its own.
async fn speak_for(client: &Client, user: &str) -> Result<Vec<Str>, Failure> {
    let mut cookie = Cookie::default();
    let assume = json!({"action": "assume_user", "user_id": user, "read_only": true});
    client.converse(&mut cookie, &[assume]).await?;
    let answers = match cookie.is_empty() {
        true => Err(Failure::Malformed("the server keeps no session in which to speak for somebody".into())),
        false => client.converse(&mut cookie, &[who()]).await,
    };
    // Whatever came of it: the server may know us again by something else.
    let mut left = Ok(Vec::new());
    for _ in 0..2 {
        left = client.converse(&mut cookie, &[json!({"action": "un_assume_user"})]).await;
        if left.is_ok() {
            break;
        }
    }
    left.map_err(|why| Failure::Malformed(format!("the session in a user's name could not be left: {why}")))?;
    match answers?.first().and_then(caller) {
        Some(caller) if caller.id == user => Ok(caller.permissions),
        _ => Err(Failure::Malformed("the server answers as the API key's own user all the same".into())),
    }
}

fn who() -> Json {
    json!({"action": "query_server_information", "values": ["user_information"]})
}

fn caller(information: &Json) -> Option<Caller> {
    let user = information.get("user_information")?.as_object()?;
    let permissions = user.get("permissions")?.as_array()?.iter().take(MOST_PERMISSIONS);
    let is_global = user.get("is_global_access_key").and_then(Json::as_bool) == Some(true);
    Some(Caller {
        id: text(user, "id")?.to_owned(),
        username: text(user, "username").unwrap_or_default().to_owned(),
        global_key: is_global.then(|| text(user, "access_key_id").unwrap_or_default().to_owned()),
        permissions: permissions.filter_map(|text| Some(text.as_str()?.into())).collect(),
    })
}

fn text<'r>(row: &'r Row, name: &str) -> Option<&'r str> {
    row.get(name)?.as_str().filter(|text| !text.is_empty())
}
