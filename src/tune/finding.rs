//! What is said about one setting.

use std::fmt::{self, Display, Formatter};

/// How much a setting is expected to matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Without it something fails, at once or under load.
    Needed,
    /// It was measured; the reason says what.
    Measured,
    /// It depends on the host: measure before and after.
    Advice,
}

/// What a reading of the host says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The value is one that is wanted.
    Fits(String),
    /// It is not.
    Differs {
        value: String,
        wanted: String,
        /// The command that sets it, until the next start of the host.
        set: String,
        /// The command that undoes that.
        undo: String,
    },
    /// It is not, and no command can change that on this host.
    Lacks {
        value: String,
        wanted: String,
        /// What would be needed: a boot parameter, another kernel.
        needed: String,
    },
}

/// A setting and its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) name: &'static str,
    pub(super) weight: Weight,
    pub(super) why: &'static str,
    pub(super) verdict: Verdict,
}

impl Finding {
    pub(super) fn differs(&self) -> bool {
        !matches!(self.verdict, Verdict::Fits(_))
    }

    fn explain(&self, f: &mut Formatter<'_>, value: &str, wanted: &str) -> fmt::Result {
        writeln!(f, "differs  {} = {value}, wanted: {wanted}", self.name)?;
        writeln!(f, "         {}: {}", self.weight, self.why)
    }
}

impl Display for Weight {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Weight::Needed => "needed",
            Weight::Measured => "measured",
            Weight::Advice => "advice",
        })
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Fits(value) => writeln!(f, "fits     {} = {value}", self.name),
            Verdict::Differs { value, wanted, set, undo } => {
                self.explain(f, value, wanted)?;
                writeln!(f, "         set:  {set}")?;
                writeln!(f, "         undo: {undo}")
            }
            Verdict::Lacks { value, wanted, needed } => {
                self.explain(f, value, wanted)?;
                writeln!(f, "         set:  by no command on this host; it takes {needed}")
            }
        }
    }
}
