//! `setenv`, `presetenv`, `unsetenv`, `resetenv` (configuration manual, section 3.1).

use crate::config::diagnostic::{Form, Report};
use crate::config::environment::Environment;
use crate::config::lexer::Line;

/// The keywords that change the variables which the following lines expand.
pub const KEYWORDS: [&str; 4] = ["setenv", "presetenv", "unsetenv", "resetenv"];

/// Whether the line is one of them.
pub(super) fn is_one(line: &Line) -> bool {
    KEYWORDS.contains(&line.keyword())
}

/// Carries one of them out.
pub(super) fn apply(line: &Line, environment: &mut Environment, report: &mut Report) {
    let names = || line.arguments().iter().map(|word| word.text.as_str());
    match line.keyword() {
        "unsetenv" if line.arguments().is_empty() => {
            let text = "'unsetenv' expects at least one variable name.";
            report
                .alert(line, line.end(), text)
                .form(Form::ParsingTight)
                .help("name the variables to remove");
        }
        "unsetenv" => names().for_each(|name| environment.unset(name)),
        "resetenv" => environment.retain(&names().collect::<Vec<_>>()),
        keyword => assign(keyword, line, environment, report),
    }
}

fn assign(keyword: &str, line: &Line, environment: &mut Environment, report: &mut Report) {
    let [name, value, rest @ ..] = line.arguments() else {
        report
            .alert(line, line.end(), format!("'{keyword}' expects a name and a value."))
            .form(Form::ParsingTight)
            .help(format!("write {keyword} NAME \"value\""));
        return;
    };
    if name.text.is_empty() || name.text.contains('=') {
        report
            .alert(line, name, format!("'{keyword}' failed on variable '{}' : Invalid argument.", name.text))
            .form(Form::ParsingTight)
            .help("a variable's name is not empty and holds no '='");
        return;
    }
    if let Some(extra) = rest.first() {
        report
            .warning(line, extra, format!("'{keyword}' takes one value: '{}' has no effect.", extra.text))
            .form(Form::ParsingTight)
            .help("put a value of several words into double quotes");
    }
    match keyword {
        "presetenv" => environment.preset(&name.text, &value.text),
        _ => environment.set(&name.text, &value.text),
    }
}
