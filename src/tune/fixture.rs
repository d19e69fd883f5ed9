//! A host of files, for tests.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::finding::Verdict;
use super::host::Host;

pub(super) struct Fake(tempfile::TempDir);

impl Fake {
    pub(super) fn new(files: &[(&str, &str)]) -> Fake {
        let fake = Fake(tempfile::tempdir().expect("a folder"));
        for (path, text) in files {
            fs::write(fake.place(path), format!("{text}\n")).expect("a file");
        }
        fake
    }

    pub(super) fn with_link(self, path: &str, to: &str) -> Fake {
        symlink(to, self.place(path)).expect("a link");
        self
    }

    pub(super) fn host(&self) -> Host {
        Host::at(self.0.path())
    }

    /// Where the file is, or can be made.
    fn place(&self, path: &str) -> PathBuf {
        let place = self.0.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(place.parent().expect("a folder")).expect("folders");
        place
    }
}

/// Whether it fits, and what was read.
pub(super) fn value(verdict: Option<Verdict>) -> (bool, String) {
    match verdict.expect("a verdict") {
        Verdict::Fits(value) => (true, value),
        Verdict::Differs { value, .. } | Verdict::Lacks { value, .. } => (false, value),
    }
}

/// What is needed where no command helps.
pub(super) fn needed(verdict: Option<Verdict>) -> String {
    match verdict.expect("a verdict") {
        Verdict::Lacks { needed, .. } => needed,
        other => panic!("{other:?}"),
    }
}
