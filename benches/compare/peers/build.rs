//! Which build a program is, beyond what it says of its version.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;

use crate::failure::{Attempt, Failure};

/// Eight digits that are the same only for the same bytes.
pub fn build(program: &Path) -> Result<String, Failure> {
    let bytes = fs::read(program).attempting(format!("reading {}", program.display()))?;
    let mut hasher = DefaultHasher::new();
    hasher.write(&bytes);
    Ok(format!("{:08x}", hasher.finish() >> 32))
}
