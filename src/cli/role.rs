//! `role`: what the roles of a policy grant, shown, compared, and edited in the policy file.

pub(super) mod audit;
mod change;
mod diff;
mod show;
mod store;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::store::Opened;
use super::output;
use crate::config::Environment;
use crate::engine::roles::{Grantable, RoleSet};
use crate::yaml;

/// Show, compare and edit the roles of a policy file: which permissions each of them grants.
///
/// Comments, order and everything else in the file stay as they are.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor role list policy.yaml
  stagedoor role clone policy.yaml \"Project Manager\" Lead --description \"Leads a department\"
  stagedoor role diff policy.yaml Lead")]
pub(super) struct Role {
    #[command(subcommand)]
    command: RoleCommand,
}

#[derive(Debug, Subcommand)]
enum RoleCommand {
    List(List),
    Show(Show),
    Diff(Diff),
    Clone(Clone),
    Create(Create),
    Delete(Delete),
    Reset(Reset),
    Audit(Audit),
}

/// List the roles: where each stands, how many permissions it grants, which one new users get.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor role list policy.yaml
  stagedoor role list policy.yaml --json")]
struct List {
    /// The policy file
    file: PathBuf,
    /// Print the roles as JSON
    #[arg(long)]
    json: bool,
}

/// Show every permission there is, and whether the role grants it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor role show policy.yaml \"Project Manager\"")]
struct Show {
    /// The policy file
    file: PathBuf,
    /// The name of the role
    role: String,
    /// Print the role as JSON
    #[arg(long)]
    json: bool,
}

/// Compare a role with another one, else with the built-in role of its name, else with what it was cloned from.
///
/// Exit code: 0 no difference, 1 they differ, 2 not compared.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor role diff policy.yaml Lead                    with what it was cloned from
  stagedoor role diff policy.yaml User \"Restricted User\"")]
struct Diff {
    /// The policy file
    file: PathBuf,
    /// The name of the role
    role: String,
    /// The role to compare it with
    other: Option<String>,
    /// Print the differences as JSON
    #[arg(long)]
    json: bool,
}

/// Add a role that grants what another one does, to be changed from there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor role clone policy.yaml \"Project Manager\" Lead --description \"Leads a department\"
  stagedoor role clone policy.yaml User User               an edition of our own of a built-in role")]
struct Clone {
    /// The policy file
    file: PathBuf,
    /// The role that it starts from
    from: String,
    /// The name of the new role, as the tracker has it
    name: String,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
}

/// Add a role that grants these permissions and no others.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor role create policy.yaml Outsourcer --grant can_change_status_of_a_task --grant can_access_my_tasks
  stagedoor role create policy.yaml Visitor --description \"Sees, and changes nothing\"")]
struct Create {
    /// The policy file
    file: PathBuf,
    /// The name of the role, as the tracker has it
    name: String,
    /// A permission that it grants; `role show` lists their names
    #[arg(long = "grant", value_name = "PERMISSION")]
    grants: Vec<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
}

/// Take a role out of the file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor role delete policy.yaml Outsourcer")]
struct Delete {
    /// The policy file
    file: PathBuf,
    /// The name of the role
    name: String,
}

/// Take what the file says of a built-in role out of it: the role is then again as it was built in.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor role reset policy.yaml \"Project Manager\"")]
struct Reset {
    /// The policy file
    file: PathBuf,
    /// The name of the role
    name: String,
}

/// Ask the tracker what it tells of roles and permissions, and list where the policy says something else.
///
/// ftrack tells which roles there are and what the user of the API key may do; and, where the key may speak for other users (it
/// only reads), what one holder of each role may do. Exit code: 0 no difference, 1 differences, 2 not asked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stagedoor role audit --config stagedoor.yaml
  stagedoor role audit --config stagedoor.yaml --json")]
struct Audit {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(role: &Role, environment: &Environment) -> ExitCode {
    let done = match &role.command {
        RoleCommand::List(List { file, json }) => Opened::at(file).map(|opened| show::list(&opened, *json)),
        RoleCommand::Show(Show { file, role, json }) => {
            Opened::at(file).and_then(|opened| show::show(&opened, role, *json))
        }
        RoleCommand::Diff(Diff { file, role, other, json }) => {
            Opened::at(file).and_then(|opened| diff::run(&opened, role, other.as_deref(), *json))
        }
        RoleCommand::Clone(Clone { file, from, name, description }) => {
            Opened::at(file).and_then(|opened| change::clone(&opened, from, name, description.as_deref()))
        }
        RoleCommand::Create(Create { file, name, grants, description }) => {
            Opened::at(file).and_then(|opened| change::create(&opened, name, grants, description.as_deref()))
        }
        RoleCommand::Delete(Delete { file, name }) => Opened::at(file).and_then(|opened| change::delete(&opened, name)),
        RoleCommand::Reset(Reset { file, name }) => Opened::at(file).and_then(|opened| change::reset(&opened, name)),
        RoleCommand::Audit(Audit { config, json }) => audit::run(config, environment, *json),
    };
    done.unwrap_or_else(|problem| output::fail(&problem))
}

/// The role of this name.
fn find<'r>(roles: &'r [RoleSet], name: &str) -> Result<&'r RoleSet, String> {
    roles.iter().find(|role| role.name == name).ok_or_else(|| {
        let hint = yaml::suggestion(name, roles.iter().map(|role| role.name.as_str()));
        format!("there is no role `{name}`{hint}")
    })
}

/// What the tracker calls a permission.
fn title<'g>(grantable: &'g [Grantable], slug: &'g str) -> &'g str {
    grantable.iter().find(|right| right.slug == slug).map_or(slug, |right| right.title.as_str())
}

/// How much a role grants.
fn counted(role: &RoleSet) -> String {
    let grants = permissions(role.grants.len());
    match role.rules.len() {
        0 => grants,
        1 => format!("{grants}, 1 rule"),
        count => format!("{grants}, {count} rules"),
    }
}

fn permissions(count: usize) -> String {
    format!("{count} permission{}", if count == 1 { "" } else { "s" })
}
