//! Which server gets the next session. Pure; one algorithm a file.
