//! Pronk, the gateway in front of an Apache Impala cluster. This page is the code map.
//!
//! A **worker** (one thread, one core) owns an io_uring [`ring`], a listening socket for each address and a
//! slab of **sessions**. A [`session`] is a pure state machine: it receives completions and answers with
//! operations. Which server it goes to is read from one immutable [`table`] that the [`health`] thread
//! replaces atomically. Everything comes from a [`config`] that was read completely, every error shown,
//! before the first thread starts.
//!
//! Three sentences decide the rest:
//! 1. Operations are values; only the ring knows addresses.
//! 2. One operation in flight per direction; a session ends only when nothing is in flight.
//! 3. One snapshot, one writer.
//!
//! # Layers, top to bottom
//!
//! A module names only what stands on a line below its own; `tests/tidy` reads every `crate::` path and
//! enforces it, and holds this table against its own. What has a `::` is plain data, or errors, taken out
//! of its parent.
//!
//! ```text
//! cli                                   the command line, called by main
//! process                               start and stop, signals, the control thread
//! admin                                 stats sockets, stats page
//! worker · health · demo · top · tune   a thread per core · the health thread · stand-ins · live view · the host
//! worker::mailbox                       what the control thread and a worker send each other
//! session · ring · stats · log          one connection · io_uring · counters' renderings · log thread
//! sys · impala                          every system call beside the ring · Thrift
//! balance · table                       choosing a server · the snapshot it is chosen from
//! config · load                         haproxy.cfg · live counts
//! rules · timers                        conditions · deadlines
//! log::record · stats::counters         what workers write and others read
//! process::runtime                      tokio-uring, for the control and health threads
//! config::model · session::op · session::termination · process::error · chunks
//! ```
//!
//! # Where things live
//!
//! | module | what it is |
//! |---|---|
//! | [`cli`] | HAProxy's command line |
//! | [`config`] | haproxy.cfg: lines, the keyword table, drafts, [`config::model`] |
//! | [`rules`] | ACLs and conditions |
//! | [`balance`] | which server gets the next session, one algorithm a file |
//! | [`session`] | the life of one connection, and the vocabulary [`session::op`] |
//! | [`ring`] | io_uring: operations to kernel requests, and how bytes move |
//! | [`worker`] | the event loop, admission, dispatch, queues |
//! | [`table`], [`load`] | the snapshot all workers read; the live counts outside it |
//! | [`timers`] | the wheel of deadlines |
//! | [`chunks`] | the list that only grows, under the counts and counters |
//! | [`health`] | checks, verdicts, the only publisher of the table |
//! | [`log`], [`stats`] | session lines and process messages; counters, CSV, info |
//! | [`admin`] | stats sockets and the stats page |
//! | [`process`] | limits, privileges, threads, signals |
//! | [`impala`] | Thrift as Impala speaks it |
//! | [`demo`] | stand-in coordinators and the demonstration on them |
//! | [`top`] | the live view over a stats socket |
//! | [`tune`] | the host's settings, judged |
//! | [`sys`] | sockets, pipes, users, limits, signals |
//!
//! # Words
//!
//! HAProxy's meaning wins, since users bring haproxy.cfg. *frontend / bind / listener*: named entry; one
//! address of it; one socket of that address on one worker. *backend / server*: a pool; a member. *session*:
//! one client connection and its server connection. *side*: client or server. *direction*: to the server or
//! to the client. *relay*: one direction of a session. *op / completion / outcome*: a request to the kernel;
//! its answer; how it went. *check / verdict*: one probe; up or down. *termination*: why a session ended.
//! *coordinator*: an impalad that takes client connections.
//!
//! # Invariants
//!
//! `unsafe` lives in [`ring`] and [`sys`] only. [`session`], [`balance`], [`rules`], [`config`] and
//! [`timers`] contain no socket, file, thread or clock. Nobody but [`health`] and [`process`] holds the
//! [`table::TablePublisher`]; nobody but a worker holds its ring. A worker neither allocates, locks, formats
//! nor blocks once a session is established.

#[cfg(test)]
extern crate self as pronk;

pub mod admin;
pub mod balance;
pub mod chunks;
pub mod cli;
pub mod config;
pub mod demo;
pub mod health;
pub mod impala;
pub mod load;
pub mod log;
pub mod process;
pub mod ring;
pub mod rules;
pub mod session;
pub mod stats;
pub mod sys;
pub mod table;
pub mod timers;
pub mod top;
pub mod tune;
pub mod worker;
