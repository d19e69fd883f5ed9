//! What README.md and tuning/ promise: the configurations they show load without a word, the files and
//! benches they name are there.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use pronk::config::{Environment, Source, Supplies, parse, wants};

fn top(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(top(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The indented blocks of a Markdown file, without their indentation.
fn blocks(markdown: &str) -> Vec<String> {
    let lines: Vec<&str> = markdown.lines().collect();
    let part = |line: &&str| line.starts_with("    ") || line.is_empty();
    let chunks = lines.chunk_by(|a, b| part(a) == part(b)).filter(|chunk| chunk.iter().all(part));
    let text = |chunk: &[&str]| {
        let lines: Vec<&str> = chunk.iter().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
        lines.join("\n").trim().to_owned() + "\n"
    };
    chunks.map(text).filter(|text| text.len() > 1).collect()
}

/// Loads a configuration on a machine that knows every name. Advice counts as a complaint.
fn assert_loads_silently(name: &str, text: &str) {
    let sources = [Source { name: name.to_owned(), text: text.into() }];
    let environment = Environment::default();
    let mut supplies = Supplies::default();
    let wants = wants(&sources, &environment, &supplies);
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    wants.hosts.into_iter().for_each(|host| supplies.hosts.add(host, Ok(address)));
    wants.users.into_iter().for_each(|user| supplies.users.add(user, Ok(99)));
    wants.groups.into_iter().for_each(|group| supplies.groups.add(group, Ok(99)));
    let (config, diagnostics) = parse(&sources, &environment, &supplies);
    assert!(config.is_some() && diagnostics.is_empty(), "{name}: {diagnostics:#?}");
}

#[test]
fn the_configurations_that_are_shown_load_without_a_word() {
    let shown = blocks(&read("README.md"));
    let shown: Vec<&String> = shown.iter().filter(|block| block.starts_with("defaults")).collect();
    assert_eq!(shown.len(), 1, "README.md shows one configuration");
    assert_loads_silently("README.md", shown[0]);
    assert_loads_silently("tuning/impala.cfg", &read("tuning/impala.cfg"));
}

#[test]
fn the_files_that_are_named_are_there() {
    for document in ["README.md", ".github/CONTRIBUTING.md"] {
        let text = read(document);
        let words = text.split(|c: char| c.is_whitespace() || "`()[],;:".contains(c));
        let folders = ["src/", "tests/", "benches/", "tuning/", ".github/"];
        let paths: Vec<&str> =
            words.filter(|word| folders.iter().any(|folder| word.starts_with(folder))).collect();
        assert!(paths.len() > 3, "{document}: {paths:?}");
        for path in paths {
            assert!(top(path.trim_end_matches('.')).exists(), "{document} names {path}");
        }
    }
    for entry in fs::read_dir(top("tuning")).expect("a folder") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let told = [read("README.md").contains(&name), read("tuning/README.md").contains(&name)];
        assert!(told == [true; 2] || name == "README.md", "{name} is not explained");
    }
}

#[test]
fn the_manual_page_holds_the_current_tables() {
    let (page, manual) = (top("tuning/pronk.1"), pronk::cli::manual());
    if std::env::var_os("BLESS").is_some() {
        fs::write(&page, &manual).expect("a writable tree under BLESS");
    }
    let current = fs::read_to_string(page).is_ok_and(|page| page == manual);
    assert!(current, "tuning/pronk.1 is out of date: BLESS=1 cargo test --test readme");
}

#[test]
fn every_bench_has_its_line() {
    let (readme, manifest) = (read("README.md"), read("Cargo.toml"));
    let benches = manifest.split("[[bench]]").skip(1);
    let names: Vec<&str> = benches.filter_map(|bench| bench.split('"').nth(1)).collect();
    assert_eq!(names.len(), readme.matches("cargo bench --bench ").count(), "{names:?}");
    for name in names {
        assert!(readme.contains(&format!("cargo bench --bench {name} ")), "{name} is not explained");
    }
}

#[test]
fn every_setting_of_the_host_is_explained() {
    let explained = read("tuning/README.md");
    let settings = read("tuning/90-pronk.conf");
    for line in settings.lines().filter(|line| !line.starts_with('#') && line.contains('=')) {
        let key = line.split('=').next().unwrap_or_default().trim();
        let last = key.rsplit('.').next().unwrap_or_default();
        assert!(explained.contains(last), "{key} is not explained");
    }
}
