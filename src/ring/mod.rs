//! The io_uring of one worker: operations in, completions out.
