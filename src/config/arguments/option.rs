//! The options of `bind`, `stats socket`, `server` and `default-server` lines, one after the other.

use super::Arguments;
use crate::config::keyword::{self, Keyword, Places};
use crate::config::suggest::nearest;
use crate::config::support;

const ON_SERVERS: Places = Places::SERVER.and(Places::DEFAULT_SERVER);

impl Arguments<'_> {
    /// Takes the name of the next option: its row when it is honoured and its argument is there.
    ///
    /// Of any other what is to be said is said, and it is passed over.
    pub fn option(&mut self, place: Places) -> Option<&'static Keyword> {
        let at = self.at;
        let Some(row) = support::find_at(place, self.line, at) else {
            self.unknown_option(place);
            return None;
        };
        self.at += row.length();
        let needed = usize::from(row.arity.min);
        if self.rest().len() < needed {
            self.at = self.line.words.len();
            self.alert(self.at, missing_argument(row.words, place), row.doc);
            return None;
        }
        if support::is_honoured(row, self.line, at, self.report) {
            return Some(row);
        }
        support::check_values(row, self.line, self.at..self.at + needed, self.report);
        self.at += needed;
        None
    }

    fn unknown_option(&mut self, place: Places) {
        let word = self.next().unwrap_or("");
        let near = nearest(word, keyword::names(place));
        let text = match near {
            Some(near) => format!("unknown keyword '{word}'; did you mean '{near}' maybe ?"),
            None => format!("unknown keyword '{word}'."),
        };
        let loose = self.prefix.clone();
        if !place.overlaps(ON_SERVERS) {
            self.prefix = loose.replace("' : ", "': ");
        }
        self.alert_last(text, support::did_you_mean(near));
        self.prefix = loose;
    }
}

fn missing_argument(option: &str, place: Places) -> String {
    match option {
        _ if place.overlaps(ON_SERVERS) => format!("'{option}' expects an argument."),
        "interface" => format!("'{option}' : missing interface name"),
        _ => format!("'{option}' : missing argument"),
    }
}
