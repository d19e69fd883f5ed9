//! Changes of the values of ACLs while the process runs (management manual, `add acl` and the like).
//!
//! They live in the running configuration alone: `reload`, and another process, take the values of the files.

use std::sync::Arc;

use super::model::Config;
use crate::rules::{Acl, List, ListId};

/// What commands call this list: `#ID` or a file's name.
pub fn find(config: &Config, wanted: &str) -> Option<ListId> {
    let at = config.lists.iter().position(|list| list.is(wanted))?;
    Some(ListId(at as u32))
}

/// Every ACL that looks at the list: those of `acl` lines, then those inside conditions.
pub fn users(config: &Config, list: ListId) -> impl Iterator<Item = &Acl> {
    let all = config.proxies.iter().flat_map(|proxy| {
        let switching = proxy.use_backends.iter().filter_map(|rule| rule.condition.as_ref());
        let conditions = switching.chain(proxy.stats.iter().flat_map(|page| &page.admin));
        let inside = conditions.flat_map(|condition| condition.any_of.iter().flatten());
        proxy.acls.iter().chain(inside.flat_map(|term| &term.acls))
    });
    all.filter(move |acl| acl.lists.contains(&list))
}

/// `config` with a list as `change` makes it, and what that said.
pub fn with<T, E>(
    config: &Config,
    list: ListId,
    change: impl FnOnce(&mut List) -> Result<T, E>,
) -> Result<(Config, T), E> {
    let mut next = config.clone();
    let said = change(Arc::make_mut(&mut next.lists[list.0 as usize]))?;
    let Config { proxies, lists, .. } = &mut next;
    for proxy in proxies {
        let switching = proxy.use_backends.iter_mut().filter_map(|rule| rule.condition.as_mut());
        let conditions = switching.chain(proxy.stats.iter_mut().flat_map(|page| &mut page.admin));
        let inside = conditions.flat_map(|condition| condition.any_of.iter_mut().flatten());
        let acls = proxy.acls.iter_mut().chain(inside.flat_map(|term| &mut term.acls));
        acls.filter(|acl| acl.lists.contains(&list)).for_each(|acl| acl.refresh(lists));
    }
    Ok((next, said))
}
