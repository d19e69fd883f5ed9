//! Lists of values: what the values of an ACL line, or of a file that ACLs share, are kept in, so that
//! commands can change them while the process runs (management manual, `add acl` and the like).
//!
//! A list has versions. Conditions look at the current one only; others are being prepared, until `commit`
//! makes one of them the current one.

use std::fmt::{self, Display};
use std::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::IpNet;

use super::Style;

/// Which list, by its place in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListId(pub u32);

/// A file and the number of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As given.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
}

/// Where the values of a list were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On the line of an ACL that begins with this keyword.
    Line(String, Place),
    /// In a file of this name, which the lines at these places name.
    File(String, Vec<Place>),
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    version: u32,
    /// Its number, which no other entry of the list ever has.
    pub reference: u64,
    /// As it was written.
    pub text: String,
    /// What its host name stood for when the configuration was read.
    pub(super) network: Option<IpNet>,
}

/// A list of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// What commands call it, beside its file's name. None: [`number`] has not chosen it yet.
    pub id: Option<u32>,
    /// Where it comes from.
    pub origin: Origin,
    current: u32,
    newest: u32,
    next_reference: u64,
    entries: Vec<Entry>,
}

impl List {
    /// With these values as the current version.
    pub fn new<T: Into<String>>(origin: Origin, id: Option<u32>, texts: impl IntoIterator<Item = T>) -> List {
        let mut list = List { id, origin, current: 0, newest: 0, next_reference: 1, entries: Vec::new() };
        texts.into_iter().for_each(|text| list.push(0, text.into()));
        list
    }

    fn push(&mut self, version: u32, text: String) {
        self.entries.push(Entry { version, reference: self.next_reference, text, network: None });
        self.next_reference += 1;
    }

    /// Looks up the host names among its values, where `style` wants addresses.
    pub(super) fn look_up(&mut self, style: Style, host: &mut dyn FnMut(&str) -> Option<Ipv4Addr>) {
        for entry in self.entries.iter_mut().filter(|entry| entry.network.is_none()) {
            entry.network = style.look_up(&entry.text, host);
        }
    }

    /// Whether commands mean it by this word: `#ID` or the file's name.
    pub fn is(&self, wanted: &str) -> bool {
        match (wanted.strip_prefix('#'), &self.origin) {
            (Some(""), _) => self.id == Some(0),
            (Some(id), _) => id.parse().ok() == self.id,
            (None, Origin::File(name, _)) => name == wanted,
            (None, Origin::Line(..)) => false,
        }
    }

    /// The values of a version; None: of the current one.
    pub fn entries(&self, version: Option<u32>) -> impl Iterator<Item = &Entry> {
        let version = version.unwrap_or(self.current);
        self.entries.iter().filter(move |entry| entry.version == version)
    }

    /// Adds a value to a version.
    pub fn add(&mut self, version: Option<u32>, text: &str) -> Result<(), &'static str> {
        let version = version.unwrap_or(self.current);
        if version > self.newest {
            return Err("Version number in the future, please use 'prepare acl' before.");
        }
        self.push(version, text.to_owned());
        Ok(())
    }

    /// Deletes, from every version, the values written like this. False: there is none.
    pub fn delete(&mut self, text: &str) -> bool {
        self.delete_if(|entry| entry.text == text)
    }

    /// Deletes one value. False: there is no such.
    pub fn delete_reference(&mut self, reference: u64) -> bool {
        self.delete_if(|entry| entry.reference == reference)
    }

    fn delete_if(&mut self, mut doomed: impl FnMut(&Entry) -> bool) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| !doomed(entry));
        self.entries.len() < before
    }

    /// Empties a version; None: the current one.
    pub fn clear(&mut self, version: Option<u32>) {
        let version = version.unwrap_or(self.current);
        self.entries.retain(|entry| entry.version != version);
    }

    /// Opens another, empty version and returns its number.
    pub fn prepare(&mut self) -> u32 {
        self.newest = self.newest.saturating_add(1);
        self.newest
    }

    /// Makes a prepared version the current one; those before it are gone.
    pub fn commit(&mut self, version: u32) -> Result<(), &'static str> {
        if version <= self.current || version > self.newest {
            return Err("Version number out of range.");
        }
        self.current = version;
        self.entries.retain(|entry| entry.version >= version);
        Ok(())
    }
}

/// Gives each list without an id the smallest that is free, in the order of the lists.
pub fn number(lists: &mut [Arc<List>]) {
    let mut taken: Vec<u32> = lists.iter().filter_map(|list| list.id).collect();
    taken.sort_unstable();
    let mut free = (0..).filter(|id| taken.binary_search(id).is_err());
    for list in lists.iter_mut().filter(|list| list.id.is_none()) {
        Arc::make_mut(list).id = free.next();
    }
}

/// The values in a file's text: one a line, without empty lines and those that begin with `#`.
pub fn texts_of_file(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.split('\n')).filter(|(_, line)| !line.starts_with('#'));
    let value = |line: &'_ str| line.split('\r').next().map_or(0, str::len);
    lines
        .map(move |(number, line)| (number, line[..value(line)].trim_start_matches([' ', '\t'])))
        .filter(|(_, value)| !value.is_empty())
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file '{}' line {}", self.file, self.line)
    }
}

/// As `show acl` lists it.
impl Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.unwrap_or_default();
        match &self.origin {
            Origin::Line(keyword, place) => write!(f, "{id} () acl '{keyword}' {place}")?,
            Origin::File(name, users) => {
                let users: Vec<String> = users.iter().map(|place| format!("by acl at {place}")).collect();
                write!(f, "{id} ({name}) pattern loaded from file '{name}' used {}", users.join(", "))?;
            }
        }
        let (current, newest, count) = (self.current, self.newest, self.entries.len());
        write!(f, ". curr_ver={current} next_ver={newest} entry_cnt={count}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> List {
        let place = Place { file: "h.cfg".into(), line: 7 };
        List::new(Origin::Line("src".to_owned(), place), None, texts.iter().copied())
    }

    fn texts(list: &List, version: Option<u32>) -> Vec<&str> {
        list.entries(version).map(|entry| entry.text.as_str()).collect()
    }

    #[test]
    fn values_are_added_and_deleted() {
        let mut list = list(&["a", "b"]);
        list.add(None, "a").expect("added");
        assert_eq!(texts(&list, None), ["a", "b", "a"]);
        assert!(list.delete_reference(1) && !list.delete_reference(1) && !list.delete_reference(9));
        assert_eq!(texts(&list, None), ["b", "a"]);
        list.add(None, "a").expect("added");
        assert!(list.delete("a") && !list.delete("a"));
        list.clear(None);
        assert_eq!(texts(&list, None), [""; 0]);
    }

    #[test]
    fn a_version_is_prepared_and_committed() {
        let mut list = list(&["old"]);
        assert!(list.add(Some(1), "x").is_err() && list.commit(1).is_err() && list.commit(0).is_err());
        assert_eq!((list.prepare(), list.prepare(), list.prepare()), (1, 2, 3));
        for (version, text) in [(1, "one"), (2, "two"), (3, "three"), (0, "also")] {
            list.add(Some(version), text).expect("a known version");
        }
        assert_eq!((texts(&list, None), texts(&list, Some(1))), (vec!["old", "also"], vec!["one"]));
        list.commit(2).expect("committed");
        assert_eq!((texts(&list, None), texts(&list, Some(3))), (vec!["two"], vec!["three"]));
        assert_eq!((texts(&list, Some(0)).len(), texts(&list, Some(1)).len()), (0, 0));
        assert!(list.commit(1).is_err() && list.commit(2).is_err() && list.commit(4).is_err());
        list.clear(Some(3));
        list.commit(3).expect("committed");
        assert_eq!(list.to_string(), "0 () acl 'src' file 'h.cfg' line 7. curr_ver=3 next_ver=3 entry_cnt=0");
    }

    #[test]
    fn ids_are_the_smallest_that_are_free() {
        let with = |id| Arc::new(List { id, ..list(&[]) });
        let mut lists = [with(None), with(Some(1)), with(None), with(Some(0)), with(None)];
        number(&mut lists);
        assert_eq!(lists.map(|list| list.id.expect("numbered")), [2, 1, 3, 0, 4]);
    }

    #[test]
    fn a_file_has_a_value_a_line() {
        let text = "  /st  \n\t/b c\r\n#x\n #y\n\n  \n/d";
        let found: Vec<(usize, &str)> = texts_of_file(text).collect();
        assert_eq!(found, [(1, "/st  "), (2, "/b c"), (4, "#y"), (7, "/d")]);
    }
}
