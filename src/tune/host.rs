//! The host's settings, read from files below a root.

use std::fs;
use std::path::PathBuf;

/// Where `/proc` and `/sys` are.
#[derive(Debug)]
pub(super) struct Host {
    root: PathBuf,
}

impl Host {
    pub(super) fn at(root: impl Into<PathBuf>) -> Host {
        Host { root: root.into() }
    }

    /// The file's text without the blanks around it; None when this host has no such file, or hides it.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let text = fs::read_to_string(self.root.join(path.trim_start_matches('/'))).ok()?;
        Some(text.trim().to_owned())
    }

    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    /// What a symbolic link says; None when it is none, or hidden.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.root.join(path.trim_start_matches('/'))).ok()?;
        target.into_os_string().into_string().ok()
    }

    /// The names in a folder that are `prefix` and a number, in the order of the numbers.
    pub(super) fn numbered(&self, folder: &str, prefix: &str) -> Vec<String> {
        let number = |name: &String| name.strip_prefix(prefix)?.parse::<u32>().ok();
        let mut found: Vec<_> =
            self.names(folder).into_iter().filter_map(|name| Some((number(&name)?, name))).collect();
        found.sort();
        found.into_iter().map(|(_, name)| name).collect()
    }

    /// What a folder holds, sorted; nothing when it is not there.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root.join(folder.trim_start_matches('/')));
        let names = entries.into_iter().flatten().flatten();
        let mut names: Vec<_> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Whether there is such a file or folder.
    pub(super) fn has(&self, path: &str) -> bool {
        self.root.join(path.trim_start_matches('/')).exists()
    }
}
