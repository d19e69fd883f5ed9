//! `-dK`: what the language consists of here, by HAProxy's classes.

use crate::admin;
use crate::config::keyword;
use crate::rules;

/// A class: its name, what it holds, the heading of its list and the list.
struct Class {
    name: &'static str,
    holds: &'static str,
    heading: &'static str,
    list: fn() -> String,
}

const CLASSES: [Class; 7] = [
    Class { name: "acl", holds: "ACL keywords", heading: "ACL keywords", list: acls },
    Class {
        name: "cfg",
        holds: "configuration keywords",
        heading: "configuration keywords",
        list: keyword::listing,
    },
    Class { name: "cli", holds: "CLI keywords", heading: "CLI keywords", list: commands },
    Class {
        name: "cnv",
        holds: "sample converter keywords",
        heading: "sample converter functions",
        list: String::new,
    },
    Class { name: "flt", holds: "filter names", heading: "filter names", list: String::new },
    Class { name: "smp", holds: "sample fetch functions", heading: "sample fetch functions", list: fetches },
    Class { name: "svc", holds: "service names", heading: "service names", list: services },
];

/// The services of `http-request use-service`.
pub(in crate::process) const SERVICES: &[&str] = &["prometheus-exporter"];

/// The lists of these classes; what is no class is passed over, as HAProxy does.
pub(super) fn listing(classes: &str) -> String {
    let wanted: Vec<&str> = classes.split(',').collect();
    let mut out = String::new();
    if wanted.contains(&"help") {
        out += "# List of supported keyword classes:\nall: list all keywords\n";
        out.extend(CLASSES.iter().map(|class| format!("{}: {}\n", class.name, class.holds)));
    }
    for class in CLASSES.iter().filter(|class| wanted.contains(&"all") || wanted.contains(&class.name)) {
        out += &format!("# List of registered {}:\n{}", class.heading, (class.list)());
    }
    out
}

fn acls() -> String {
    rules::acl_keywords().map(|(name, meaning)| format!("{name} = {meaning}\n")).collect()
}

fn fetches() -> String {
    rules::fetch_names().map(|(name, kind)| format!("{name}: {kind}\n")).collect()
}

fn services() -> String {
    SERVICES.iter().map(|name| format!("{name}\n")).collect()
}

fn commands() -> String {
    let mut words: Vec<&str> = admin::commands().collect();
    words.sort_unstable();
    words.iter().map(|words| format!("{words} [WORKER] \n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_chosen_by_name() {
        assert!(listing("help").contains("\nsvc: service names\n"));
        assert_eq!(listing("svc"), "# List of registered service names:\nprometheus-exporter\n");
        assert!(
            listing("cli,acl").contains("show stat [WORKER] \n")
                && listing("acl").contains("path_beg = path -m beg\n")
        );
        assert!(listing("smp").contains("src: ip\n"));
        assert_eq!(listing("nonsense"), "");
        assert!(CLASSES.iter().all(|class| listing("all").contains(class.heading)));
    }
}
