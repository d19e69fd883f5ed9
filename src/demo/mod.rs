//! Stand-in coordinators and the demonstration built on them.
