//! `stagedoor role` on files of its own: what it prints, what it writes, what it refuses.

mod audit;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

const POLICY: &str = "\
# Policy of the studio
extends: ftrack      # and nothing else
default_role: User

roles:
  # Heads of departments.
  Lead:
    clone: Project Manager   # a start
    grants:
      add: ['manage_users']  # since May
      remove: [delete_project]

  'Out: sourcer': {grants: [can_change_status_of_a_task]}
  # Nobody else for now.

# The end
";

/// A policy file in a directory of its own.
struct Studio {
    _directory: TempDir,
    file: PathBuf,
}

impl Studio {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("policy.yaml");
        fs::write(&file, text).unwrap();
        Self { _directory: directory, file }
    }

    /// `stagedoor role COMMAND FILE ...`: exit code, what is answered, what is complained about.
    fn role(&self, arguments: &[&str]) -> (i32, String, String) {
        let (command, rest) = arguments.split_first().unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_stagedoor"));
        program.args(["role", command]).arg(&self.file).args(rest).env_remove("STAGEDOOR_LOG");
        let output = program.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(self.file.to_str().unwrap(), "policy.yaml");
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.role(arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}: {out}");
        out
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str], told: &str) {
        let before = self.text();
        let (code, out, err) = self.role(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(told), "{told} in {err}");
        assert_eq!(self.text(), before, "{arguments:?}");
    }
}

#[test]
fn a_role_lives_and_leaves_the_file_as_it_was() {
    let studio = Studio::new(POLICY);
    let out = studio.done(&["clone", "Lead", "Head of FX", "--description", "Lead: of effects"]);
    assert_eq!(
        out,
        "policy.yaml:\n   15 +   Head of FX:\n   16 +     clone: Lead\n   17 +     description: \"Lead: of effects\"\n\
         Head of FX grants 25 permissions\n"
    );
    let added = "  Head of FX:\n    clone: Lead\n    description: \"Lead: of effects\"\n";
    let (before, after) = POLICY.split_at(POLICY.find("\n# The end").unwrap());
    assert_eq!(studio.text(), format!("{before}{added}{after}"));
    let out = studio.done(&["diff", "Head of FX"]);
    assert_eq!(out, "Head of FX grants the same as Lead\n");
    studio.refused(&["delete", "Lead"], "`Lead` is what `Head of FX` is cloned from");
    let out = studio.done(&["delete", "Head of FX"]);
    assert!(out.ends_with("Head of FX grants nothing any more\n"), "{out}");
    assert_eq!(studio.text(), POLICY);
    studio.done(&["delete", "Out: sourcer"]);
    assert_eq!(studio.text(), POLICY.replace("  'Out: sourcer': {grants: [can_change_status_of_a_task]}\n", ""));
}

#[test]
fn a_role_is_created_with_permissions_that_there_are() {
    let studio = Studio::new("extends: ftrack");
    studio.refused(
        &["create", "A", "--grant", "delete_projct"],
        "--grant: there is no permission `delete_projct`; did you mean `delete_project`?",
    );
    studio.refused(
        &["create", "A", "--grant", "Delete project"],
        "there is no permission `Delete project`; `delete_project` is how `Delete project` is written here",
    );
    studio.refused(&["create", "A", "--grant", "zzz"], "`stagedoor role show policy.yaml ROLE` lists them");
    let grants = ["--grant", "read_bid", "--grant", "delete_project", "--grant", "read_bid"];
    let out = studio.done(&[&["create", "A"], &grants[..]].concat());
    assert!(out.ends_with("\nA grants 2 permissions\n"), "{out}");
    assert_eq!(studio.text(), "extends: ftrack\nroles:\n  A:\n    grants: [read_bid, delete_project]\n");
    studio.done(&["create", "Nobody", "--description", " Sees, and changes nothing "]);
    assert!(studio.text().ends_with("  Nobody:\n    description: \"Sees, and changes nothing\"\n    grants: []\n"));
    let (code, out, _) = studio.role(&["diff", "A", "Nobody", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 1);
    assert_eq!(
        json,
        serde_json::json!({"role": "A", "against": "Nobody", "more": ["delete_project", "read_bid"], "less": []})
    );
    for name in ["", " A", "a\nb", "a\u{7}"] {
        studio.refused(&["create", name], "is no name for a role");
    }
    studio.refused(&["create", "A"], "there is a role `A` in policy.yaml already");
}

#[test]
fn built_in_roles_are_edited_in_the_file_and_reset() {
    let studio = Studio::new("extends: ftrack\n");
    assert_eq!(studio.done(&["reset", "User"]), "User is as it was built in; nothing to do\n");
    studio.refused(&["delete", "User"], "`User` is built in and stays; to have it grant nothing, write");
    studio.refused(&["create", "User"], "`stagedoor role clone policy.yaml \"User\" \"User\"` makes an edition of it");
    studio.refused(&["clone", "API", "User"], "`User` is built in");
    studio.done(&["clone", "User", "User"]);
    assert_eq!(studio.text(), "extends: ftrack\nroles:\n  User:\n    clone: User\n");
    studio.refused(&["clone", "User", "User"], "there is a role `User` in policy.yaml already");
    fs::write(&studio.file, studio.text() + "    grants: {add: [read_bid]}\n").unwrap();
    let (code, out, _) = studio.role(&["diff", "User"]);
    assert_eq!((code, out.as_str()), (1, "User against the built-in User:\n  +  Read bid  read_bid\n"));
    studio.refused(&["delete", "User"], "`role reset` takes what this file says of it away");
    let out = studio.done(&["reset", "User"]);
    assert!(out.contains("User now grants ") && out.ends_with("  -  Read bid  read_bid\n"), "{out}");
    assert_eq!(studio.text(), "extends: ftrack\nroles:\n");
    studio.done(&["create", "A"]);
    studio.refused(&["reset", "A"], "`A` is no built-in role; `role delete` takes it away");
    assert_eq!(studio.text(), "extends: ftrack\nroles:\n  A:\n    grants: []\n");
}

#[test]
fn roles_are_listed_and_shown() {
    let studio = Studio::new(POLICY);
    let out = studio.done(&["list"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 8, "{out}");
    assert!(lines[0].starts_with("ROLE  ") && lines[0].ends_with("DESCRIPTION"), "{out}");
    assert!(lines.iter().any(|line| line.starts_with("User (default)   built in ")), "{out}");
    assert!(lines.iter().any(|line| line.starts_with("Lead             this file, from Project Manager  ")), "{out}");
    let json: serde_json::Value = serde_json::from_str(&studio.done(&["list", "--json"])).unwrap();
    let lead = json.as_array().unwrap().iter().find(|role| role["name"] == "Lead").unwrap();
    assert_eq!((&lead["in_file"], &lead["built_in"], &lead["default"]), (&true.into(), &false.into(), &false.into()));
    let out = studio.done(&["show", "Lead"]);
    for part in ["\nThe whole site:\n  yes  Manage users ", "\nIn projects:\n", "\n  no   Delete project  "] {
        assert!(out.contains(part), "{part} in {out}");
    }
    assert_eq!(out.lines().filter(|line| line.starts_with("  yes ") || line.starts_with("  no ")).count(), 41, "{out}");
    let json: serde_json::Value = serde_json::from_str(&studio.done(&["show", "Lead", "--json"])).unwrap();
    assert_eq!(json, *lead);
    studio.refused(&["show", "Lad"], "there is no role `Lad`; did you mean `Lead`?");
    studio.refused(&["diff", "Out: sourcer"], "name the role to compare it with");
    studio.refused(&["diff", "Lead", "lead"], "there is no role `lead`; did you mean `Lead`?");
}

#[test]
fn what_cannot_be_edited_is_told_with_its_place() {
    let studio = Studio::new("extends: ftrack\nroles: {A: {grants: []}}\n");
    studio.refused(&["create", "B"], "policy.yaml:2:8: only maps written one entry to a line are edited");
    studio.refused(&["delete", "A"], "policy.yaml:2:8: only maps written one entry to a line are edited");
    let studio = Studio::new("extends: ftrack\nroles:\n  A: {clone: Usr}\n");
    studio.refused(&["create", "B"], "policy.yaml:3:14: there is no role `Usr`; did you mean `User`?");
    let studio = Studio::new("roles:\n  A: {grants: []}\n");
    studio.refused(&["list"], "`extends:` is missing");
    let studio = Studio::new("extends: ftrack\ndefault_role: A\nroles:\n  A: {grants: []}\n");
    studio.refused(&["delete", "A"], "`A` is the `default_role` of policy.yaml; name another one there first");
    let restricted = "extends: ftrack\nroles:\n  A: {grants: []}\nrestrictions:\n  - {name: r, kind: task, statuses: [Done], \
                      allow: [\"role:A\"], message: m}\n";
    Studio::new(restricted).refused(&["delete", "A"], "policy.yaml:5:53: `role:A` stands here; take it out first");
    let studio = Studio::new("extends: kitsu\n");
    studio.refused(&["list"], "policy.yaml: the roles of `kitsu` are fixed (admin, ");
    let studio = Studio::new("extends: limecraft\n");
    studio.refused(&["create", "A"], "what roles grant stands in the tracker itself");
    fs::remove_file(&studio.file).unwrap();
    let (code, _, err) = studio.role(&["list"]);
    assert!(code == 2 && err.contains("policy.yaml: there is no such file; a policy begins with"), "{err}");
}

#[test]
fn every_command_shows_an_example() {
    for command in ["list", "show", "diff", "clone", "create", "delete", "reset", "audit"] {
        let output = Command::new(env!("CARGO_BIN_EXE_stagedoor")).args(["role", command, "--help"]).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains(&format!("Examples:\n  stagedoor role {command} ")), "{help}");
    }
}
