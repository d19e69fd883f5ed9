//! System calls beside the ring.
