//! Says what became of a proxy: in its logs and on standard error.

use std::fmt;
use std::rc::Rc;

use crate::config::model::ProxyId;

/// Says things; clones share it.
#[derive(Clone)]
pub struct Herald(Rc<dyn Fn(Option<ProxyId>, String)>);

impl Herald {
    /// That says things by this function.
    pub fn new(say: impl Fn(Option<ProxyId>, String) + 'static) -> Herald {
        Herald(Rc::new(say))
    }

    /// As a warning; without a proxy in the logs of the process.
    pub fn say(&self, proxy: Option<ProxyId>, text: String) {
        (self.0)(proxy, text);
    }
}

impl fmt::Debug for Herald {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Herald")
    }
}
