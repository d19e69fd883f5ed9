//! What ACLs are read with: the lists so far, and the files that they name.

use std::net::Ipv4Addr;
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
    /// The address of a host, if it has one.
    pub host: &'a mut dyn FnMut(&str) -> Option<Ipv4Addr>,
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
                let mut list = List::new(origin, None, texts_of_file(&text).map(|(_, text)| text));
                list.look_up(style, self.host);
                for ((number, _), entry) in texts_of_file(&text).zip(list.entries(None)) {
                    style
                        .read_entry(entry)
                        .map_err(|error| format!("{error} at line {number} of file '{name}'"))?;
                }
                self.keep(list).0 as usize
            }
        };
        let list = Arc::make_mut(&mut self.lists[at]);
        list.look_up(style, self.host);
        list.entries(None).try_for_each(|entry| style.read_entry(entry).map(drop))?;
        if let Origin::File(_, users) = &mut list.origin {
            users.push(self.place.clone());
        }
        Ok(ListId(at as u32))
    }

    /// A list of the values on the line itself, by the keyword before them. The error is which of them `style`
    /// cannot read, and why.
    pub(super) fn line(
        &mut self,
        keyword: &str,
        id: Option<u32>,
        texts: Vec<String>,
        style: Style,
    ) -> Result<ListId, (usize, String)> {
        let mut list = List::new(Origin::Line(keyword.to_owned(), self.place.clone()), id, texts);
        list.look_up(style, self.host);
        for (at, entry) in list.entries(None).enumerate() {
            style.read_entry(entry).map_err(|error| (at, error))?;
        }
        Ok(self.keep(list))
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

/// Lends a reading that knows no file, and the one host `gateway`.
#[cfg(test)]
pub fn alone<T>(read: impl FnOnce(&mut Reading<'_>) -> T) -> T {
    let mut file = |name: &str| Err(format!("failed to open pattern file <{name}>"));
    read(&mut Reading {
        lists: &mut Vec::new(),
        place: Place { file: "h.cfg".into(), line: 1 },
        file: &mut file,
        host: &mut |name| (name == "gateway").then_some(Ipv4Addr::new(192, 0, 2, 7)),
    })
}
