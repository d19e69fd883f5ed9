//! The results of a run on standard output and in its folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Attempt, Failure};
use crate::plot;
use crate::report::{Report, json, table};

const JSON: &str = "compare.json";

/// Prints the table; writes the JSON, the table and the plots, these last: what a run of hours has measured must not be
/// lost to a drawing. The JSON of the run before is kept, to compare with.
pub fn publish(report: &Report, folder: &Path) -> Result<(), Failure> {
    let kept = keep_former(folder).and_then(|kept| {
        write(folder, JSON, json::write(report))?;
        write(folder, "compare.md", table::markdown(report, &[]))?;
        Ok(kept)
    });
    println!("{}", table::text(report));
    let former = kept?;
    let (plots, failures) = plot::draw_all(report, folder);
    failures.iter().for_each(|failure| eprintln!("compare: {failure}"));
    write(folder, "compare.md", table::markdown(report, &plots))?;
    println!("written: {}/compare.md, {JSON} and {} plots", folder.display(), plots.len());
    if let Some(former) = former {
        let (former, now) = (former.display(), folder.join(JSON));
        println!("the change since the run before:");
        println!("    cargo bench --bench compare -- --compare {former} {}", now.display());
    }
    Ok(())
}

fn write(folder: &Path, name: &str, text: String) -> Result<(), Failure> {
    let path = folder.join(name);
    fs::write(&path, text).attempting(format!("writing {}", path.display()))
}

/// Gives the JSON that is there the name of the moment in which it was written, compare-20260131-235959.json; None: there
/// is none.
fn keep_former(folder: &Path) -> Result<Option<PathBuf>, Failure> {
    let path = folder.join(JSON);
    let what = || format!("keeping {}", path.display());
    if !path.exists() {
        return Ok(None);
    }
    let written = fs::metadata(&path).and_then(|data| data.modified()).attempting(what())?;
    let written = jiff::Timestamp::try_from(written).attempting(what())?;
    let written = written.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y%m%d-%H%M%S");
    // Clocks go back, and files are copied with their times.
    let names = (2..).map(|number| format!("compare-{written}-{number}.json"));
    let mut names = std::iter::once(format!("compare-{written}.json")).chain(names);
    let kept = names.find_map(|name| Some(folder.join(name)).filter(|path| !path.exists()));
    let kept = kept.expect("numbers do not end");
    fs::rename(&path, &kept).attempting(what())?;
    Ok(Some(kept))
}
