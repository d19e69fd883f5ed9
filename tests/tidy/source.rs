//! A source file as tidy sees it: its code without comments, strings and unit tests, line by line.

use std::fs;
use std::path::{Path, PathBuf};

/// One `.rs` file.
pub struct Source {
    /// From the top of the tree, with `/`.
    pub path: String,
    /// As written.
    pub text: String,
    /// The same lines with comments, literals and `#[cfg(test)]` items blanked out.
    pub code: String,
}

impl Source {
    pub fn new(path: String, text: String) -> Source {
        let code = without_tests(&without_comments_and_literals(&text));
        Source { path, text, code }
    }

    /// Every `.rs` file under `folder` of the tree but `tests.rs`, the unit tests of a long module.
    pub fn all(folder: &str) -> Vec<Source> {
        let files = files_under(&top().join(folder)).into_iter();
        let rust = files.filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
        let rust = rust.filter(|file| !file.ends_with("tests.rs"));
        let mut sources: Vec<Source> = rust.map(|file| Source::new(name(&file), read(&file))).collect();
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        sources
    }

    /// `src/worker/listener.rs` is worker, listener; `src/worker/mod.rs` is worker; lib and main are empty.
    pub fn module(&self) -> Vec<&str> {
        let inner = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut parts: Vec<&str> = inner.split('/').collect();
        if matches!(parts.last(), Some(&("mod" | "lib" | "main"))) {
            parts.pop();
        }
        parts
    }

    /// Lines of code, comments included, unit tests not.
    pub fn lines_without_tests(&self) -> usize {
        let tested = without_tests(&self.text);
        tested.lines().filter(|line| *line != BLANK).count()
    }

    /// Name, first line (from 1) and length of every function outside unit tests.
    pub fn functions(&self) -> Vec<(String, usize, usize)> {
        let bytes = self.code.as_bytes();
        let starts = word_positions(&self.code, "fn").into_iter();
        starts
            .filter_map(|at| {
                let name: String =
                    self.code[at + 2..].trim_start().chars().take_while(|c| is_word(*c)).collect();
                let open = at + self.code[at..].find(['{', ';'])?;
                (bytes[open] == b'{' && !name.is_empty()).then(|| {
                    let end = closing(bytes, open);
                    let lines = self.code[at..end].matches('\n').count() + 1;
                    (name, line_of(&self.code, at), lines)
                })
            })
            .collect()
    }

    /// The line numbers on which `needle` stands in code.
    pub fn lines_with(&self, needle: &str) -> Vec<usize> {
        let lines = self.code.lines().enumerate();
        lines.filter(|(_, line)| line.contains(needle)).map(|(index, _)| index + 1).collect()
    }
}

/// What a line of a removed unit test is replaced by: no line of real code holds it.
const BLANK: &str = "\u{0}";

/// The top of the tree.
pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file's path from the top of the tree.
pub fn name(file: &Path) -> String {
    file.strip_prefix(top()).expect("a file of the tree").to_string_lossy().into_owned()
}

pub fn read(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
}

/// Every file under `folder`; nothing when there is no such folder.
pub fn files_under(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    paths.flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] }).collect()
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `word` stands as a whole word.
pub fn word_positions(code: &str, word: &str) -> Vec<usize> {
    let alone = |at: &usize| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    };
    code.match_indices(word).map(|(at, _)| at).filter(alone).collect()
}

pub fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Behind the brace that closes the one at `open`; the end of the text when none does.
fn closing(bytes: &[u8], open: usize) -> usize {
    let mut depth = 0usize;
    for (index, byte) in bytes.iter().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    bytes.len()
}

/// Blanks comments, string and character literals, keeping every newline.
fn without_comments_and_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => literal_end(rest, 1),
            'r' | 'b' if !code.chars().next_back().is_some_and(is_word) => raw_or_byte_literal(rest),
            '\'' => character_end(rest),
            _ => 0,
        };
        if taken == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..taken].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[taken..];
        }
    }
    code
}

/// The length of `"…"` whose opening quote is just before `from`.
fn literal_end(rest: &str, from: usize) -> usize {
    let mut escaped = false;
    for (index, c) in rest.char_indices().skip_while(|(index, _)| *index < from) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return index + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of `r"…"`, `r#"…"#`, `b"…"` or `br"…"` at the start; 0 when there is none.
fn raw_or_byte_literal(rest: &str) -> usize {
    let prefix = rest.find(|c| c != 'r' && c != 'b').unwrap_or(rest.len());
    let hashes = rest[prefix..].find(|c| c != '#').unwrap_or(0);
    let open = prefix + hashes;
    if prefix > 2 || !rest[open..].starts_with('"') {
        return 0;
    }
    if !rest[..prefix].contains('r') {
        return literal_end(rest, open + 1);
    }
    let close = format!("\"{}", "#".repeat(hashes));
    rest[open + 1..].find(&close).map_or(rest.len(), |end| open + 1 + end + close.len())
}

/// The length of a character literal at the start; 0 for a lifetime.
fn character_end(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => rest[2..].find('\'').map_or(0, |end| {
            let end = if rest[2..].starts_with('\'') { 1 + rest[3..].find('\'').unwrap_or(0) } else { end };
            end + 3
        }),
        (Some(_), Some((index, '\''))) => index + 1,
        _ => 0,
    }
}

/// Blanks every item that `#[cfg(test)]`, or `all(test, …)`, stands before.
fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = ["#[cfg(test)]", "#[cfg(all(test,"].iter().filter_map(|start| rest.find(start)).min()
    {
        let end = match rest[at..].find(['{', ';']) {
            Some(offset) if rest.as_bytes()[at + offset] == b'{' => closing(rest.as_bytes(), at + offset),
            Some(offset) => at + offset + 1,
            None => rest.len(),
        };
        kept.push_str(&rest[..at]);
        let lines = rest[at..end].matches('\n').count();
        kept.push_str(&format!("{BLANK}\n").repeat(lines));
        rest = &rest[end..];
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("src/a/b.rs".to_owned(), text.to_owned())
    }

    #[test]
    fn comments_strings_and_tests_are_not_code() {
        let text = "fn a() { b('\\'', '{', \"x{\\\"\", r#\"{\"#); } // {\n#[cfg(test)]\nmod tests {\n  fn t() { x.unwrap() }\n}\nfn c() {}\n";
        let names: Vec<_> = source(text).functions();
        assert_eq!(names, [("a".to_owned(), 1, 1), ("c".to_owned(), 6, 1)]);
        assert!(source(text).lines_with("unwrap").is_empty());
        assert_eq!(source(text).lines_without_tests(), 3);
    }

    #[test]
    fn a_function_is_as_long_as_its_lines() {
        let text = "impl<'a> X<'a> {\n    fn long(\n        self,\n    ) -> u8 {\n        1\n    }\n    fn none();\n}\n";
        assert_eq!(source(text).functions(), [("long".to_owned(), 2, 5)]);
    }

    #[test]
    fn modules_are_named_after_their_files() {
        assert_eq!(source("").module(), ["a", "b"]);
        assert_eq!(Source::new("src/a/mod.rs".into(), String::new()).module(), ["a"]);
        assert!(Source::new("src/lib.rs".into(), String::new()).module().is_empty());
    }
}
