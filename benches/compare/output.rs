//! The results of a run on standard output and in its folder.

use std::path::Path;

use crate::failure::{Attempt, Failure};
use crate::plot;
use crate::report::{Report, json, table};

/// Prints the table; writes the JSON, the table and the plots, these last: what a run of hours has measured must not be
/// lost to a drawing.
pub fn publish(report: &Report, folder: &Path) -> Result<(), Failure> {
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).attempting(format!("writing {}", path.display()))
    };
    write("compare.json", json::write(report))?;
    write("compare.md", table::markdown(report, &[]))?;
    println!("{}", table::text(report));
    let (plots, failures) = plot::draw_all(report, folder);
    failures.iter().for_each(|failure| eprintln!("compare: {failure}"));
    write("compare.md", table::markdown(report, &plots))?;
    println!("written: {}/compare.md, compare.json and {} plots", folder.display(), plots.len());
    Ok(())
}
