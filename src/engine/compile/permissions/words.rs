//! The words of rules that ask the subject's role.

use crate::engine::compile::Names;
use crate::engine::permissions::Operation;

impl Names<'_> {
    /// What a word asks the subject's role, if it does.
    pub(in crate::engine::compile) fn operation(&self, word: &str) -> Option<Asked> {
        let page = self.page?;
        if let Some(slug) = word.strip_prefix("advanced:") {
            let at = page.advanced.iter().position(|(known, _)| known.what == slug)?;
            let title = &page.advanced.get(at)?.1;
            let operation = Operation::Advanced(u16::try_from(at).ok()?);
            let says = format!("the role has the advanced permission \"{title}\"");
            return Some(Asked { operation, says, no: format!("the role lacks the advanced permission \"{title}\"") });
        }
        let (operation, says, no) = match word {
            "placeless" => (Operation::Placeless, "it belongs to no project", "it belongs to projects"),
            "allows:see" => (Operation::See, "the role may see it", "the role may not see it"),
            "allows:create" => {
                (Operation::Create, "the role may create such objects", "the role may not create such objects")
            }
            "allows:edit" => (Operation::Edit, "the role may edit it", "the role may not edit it"),
            "allows:retire" => (Operation::Retire, "the role may retire it", "the role may not retire it"),
            "allows:any_edit" => (
                Operation::EditAtAll,
                "the role may edit objects of this type",
                "the role may edit no field of this type",
            ),
            "allows:see_above" => {
                (Operation::SeeAbove, "the role may see what it hangs on", "the role may not see what it hangs on")
            }
            "allows:see_field" => {
                (Operation::FieldSee, "the role may see this field", "the role may not see this field")
            }
            "allows:edit_field" => {
                (Operation::FieldEdit, "the role may edit this field", "the role may not edit this field")
            }
            "allows:value" => (
                Operation::FieldValue,
                "the role may set the field to this value",
                "the role may not set the field to this value",
            ),
            "editable" => {
                (Operation::FieldEditable, "the field is one that can be edited", "nobody can edit this field")
            }
            _ => return None,
        };
        Some(Asked { operation, says: says.to_owned(), no: no.to_owned() })
    }
}

/// What a word asks the subject's role, and how people say it.
pub(in crate::engine::compile) struct Asked {
    pub(in crate::engine::compile) operation: Operation,
    pub(in crate::engine::compile) says: String,
    pub(in crate::engine::compile) no: String,
}
