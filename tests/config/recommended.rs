//! The configurations that README.md and tuning/ recommend: nothing is to be said of them, not even advice.

use std::fs;
use std::path::Path;

use pronk::config::model::{Config, Mode};
use pronk::config::{Environment, Source, Supplies, parse, wants};

use super::{haproxy_in, skipped, supply};

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first indented block under "In front of Impala".
fn readme_example() -> String {
    let readme = read("README.md");
    let (_, section) = readme.split_once("## In front of Impala\n").expect("README.md has the section");
    let block: Vec<&str> = section
        .lines()
        .map_while(|line| line.strip_prefix("    ").or(line.is_empty().then_some("")))
        .collect();
    block.join("\n") + "\n"
}

fn load(name: &str, text: &str) -> Config {
    let sources = [Source { name: name.to_owned(), text: text.as_bytes().to_vec() }];
    let environment = Environment::default();
    let (config, said) =
        parse(&sources, &environment, &supply(wants(&sources, &environment, &Supplies::default())));
    assert!(said.is_empty(), "{name}: {said:#?}");
    config.unwrap_or_else(|| panic!("{name} is refused without a word"))
}

#[test]
fn what_is_recommended_loads_without_a_word() {
    for (name, text) in [("README.md", readme_example()), ("tuning/impala.cfg", read("tuning/impala.cfg"))] {
        let config = load(name, &text);
        let gateways: Vec<_> = config.proxies.iter().filter(|proxy| proxy.mode == Mode::Tcp).collect();
        assert!(gateways.len() >= 2, "{name}: {} gateways", gateways.len());
        for proxy in gateways {
            assert!(proxy.options.connect_on_data, "{name}: {}", proxy.name);
            assert!(proxy.servers.len() >= 2 && !proxy.binds.is_empty(), "{name}: {}", proxy.name);
        }
    }
}

/// The file says of itself that everything but one line is HAProxy's.
#[test]
fn without_connect_on_data_it_is_haproxys() {
    let text = read("tuning/impala.cfg");
    let plain: Vec<&str> = text.lines().filter(|line| line.trim() != "option connect-on-data").collect();
    assert_eq!(plain.len() + 1, text.lines().count());
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("impala.cfg"), plain.join("\n") + "\n").expect("a writable folder");
    let Some((status, messages)) = haproxy_in(folder.path(), "impala.cfg", &[]) else { return skipped() };
    assert_eq!(status, 0, "{messages}");
    assert!(!messages.contains("[WARNING]") && !messages.contains("[ALERT]"), "{messages}");
}
