//! What ACLs are read with: the lists so far, and the files that they name.

use std::sync::Arc;

use super::list::texts_of_file;
use super::{List, ListId, Origin, Place, Style};

/// Where the values of one line go.
pub struct Reading<'a> {
    /// Every list of the configuration so far.
    pub lists: &'a mut Vec<Arc<List>>,
    /// The line.
    pub place: Place,
    /// The text of a file, or why there is none.
    pub file: &'a mut dyn FnMut(&str) -> Result<Arc<str>, String>,
}

impl Reading<'_> {
    /// The list of a file's values, each of which `style` can read.
    pub(super) fn file(&mut self, name: &str, style: Style) -> Result<ListId, String> {
        let known = |list: &Arc<List>| matches!(&list.origin, Origin::File(other, _) if other == name);
        let at = match self.lists.iter().position(known) {
            Some(at) => at,
            None => {
                let text = (self.file)(name)?;
                let origin = Origin::File(name.to_owned(), Vec::new());
                check_file(name, &text, style)?;
                self.keep(List::new(origin, None, texts_of_file(&text).map(|(_, text)| text))).0 as usize
            }
        };
        let list = Arc::make_mut(&mut self.lists[at]);
        if let Some(entry) = list.entries(None).find(|entry| style.read(&entry.text).is_err()) {
            return Err(style.read(&entry.text).map(drop).err().unwrap_or_default());
        }
        if let Origin::File(_, users) = &mut list.origin {
            users.push(self.place.clone());
        }
        Ok(ListId(at as u32))
    }

    /// A list of the values on the line itself, by the keyword before them.
    pub(super) fn line(&mut self, keyword: &str, id: Option<u32>, texts: Vec<String>) -> ListId {
        self.keep(List::new(Origin::Line(keyword.to_owned(), self.place.clone()), id, texts))
    }

    /// Whether a list has this id already.
    pub(super) fn has(&self, id: u32) -> bool {
        self.lists.iter().any(|list| list.id == Some(id))
    }

    fn keep(&mut self, list: List) -> ListId {
        self.lists.push(Arc::new(list));
        ListId(self.lists.len() as u32 - 1)
    }
}

fn check_file(name: &str, text: &str, style: Style) -> Result<(), String> {
    for (number, text) in texts_of_file(text) {
        if let Err(error) = style.read(text) {
            return Err(format!("{error} at line {number} of file '{name}'"));
        }
    }
    Ok(())
}

/// Lends a reading that knows no file.
#[cfg(test)]
pub fn alone<T>(read: impl FnOnce(&mut Reading<'_>) -> T) -> T {
    let mut file = |name: &str| Err(format!("failed to open pattern file <{name}>"));
    read(&mut Reading {
        lists: &mut Vec::new(),
        place: Place { file: "h.cfg".into(), line: 1 },
        file: &mut file,
    })
}
