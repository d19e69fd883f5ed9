//! A worker allocates nothing once its sessions are established: counted over 100 000 round trips, and
//! over bulk that goes through pipes.
#![allow(unsafe_code)]

#[path = "support/gateway.rs"]
mod gateway;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

use gateway::{Gateway, echo, server};
use pronk::session::op::ServerId;
use pronk::session::termination::Cause;
use pronk::worker::mailbox::{Command, Cut, Walk, Whom};

/// Counts what threads that asked for it allocate.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

fn note() {
    if COUNTED.try_with(Cell::get).unwrap_or(false) {
        ALLOCATIONS.fetch_add(1, SeqCst);
    }
}

// SAFETY: every call is passed to the system's allocator unchanged; counting touches no memory of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's layout, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if COUNTED.try_with(Cell::get).unwrap_or(false) {
            FREED.fetch_add(1, SeqCst);
        }
        // SAFETY: the caller's pointer and layout, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller's pointer and layout, passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Tests of one process count together: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

const CLIENTS: usize = 20;
const ROUND_TRIPS: usize = 100_000;

fn exchange(client: &mut TcpStream, bytes: &mut [u8]) {
    client.write_all(bytes).expect("the gateway takes a request");
    client.read_exact(bytes).expect("the gateway brings the answer");
}

#[test]
fn an_established_session_costs_no_allocation() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let gateway = Gateway::start_hooked(1, &[server(echo)], |_| {}, || COUNTED.with(|c| c.set(true)));
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| gateway.connect()).collect();
    let mut small = [7; 200];
    let mut large = vec![3; 300_000];
    // Every session has spoken, and one has been through the bulk phase: all pools are at their size.
    for client in &mut clients {
        exchange(client, &mut small);
    }
    bulk(&mut clients[0], &mut large);
    let before = ALLOCATIONS.load(SeqCst);
    assert!(before > 0, "the worker's allocations are not counted at all");
    for round in 0..ROUND_TRIPS {
        exchange(&mut clients[round % CLIENTS], &mut small);
    }
    for _ in 0..20 {
        bulk(&mut clients[0], &mut large);
    }
    let after = ALLOCATIONS.load(SeqCst);
    assert_eq!(after - before, 0, "{} allocations in {ROUND_TRIPS} round trips", after - before);
    drop(clients);
    gateway.settle();
}

/// More than both socket buffers hold, so that reading and writing go on at once.
fn bulk(client: &mut TcpStream, bytes: &mut [u8]) {
    let mut writer = client.try_clone().expect("a descriptor is free");
    std::thread::scope(|scope| {
        let sent = bytes.to_vec();
        scope.spawn(move || writer.write_all(&sent).expect("the gateway takes a bulk request"));
        client.read_exact(bytes).expect("the gateway brings a bulk answer");
    });
}

#[test]
fn an_order_costs_the_worker_no_allocation_and_nothing_to_free() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let gateway = Gateway::start_hooked(1, &[server(echo)], |_| {}, || COUNTED.with(|c| c.set(true)));
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        exchange(client, &mut [7; 200]);
    }
    let before = (ALLOCATIONS.load(SeqCst), FREED.load(SeqCst));
    assert!(before.0 > 0, "the worker's allocations are not counted at all");
    for _ in 0..200 {
        let Command::Sessions(walk) = gateway.order(0, Command::Sessions(Walk::new())) else {
            panic!("a walk comes back as one");
        };
        assert_eq!(walk.rows.len(), CLIENTS);
        gateway.order(0, Command::End(Cut::new(Whom::Server(ServerId(7)), Cause::Killed)));
        gateway.order(0, Command::Retry);
    }
    assert_eq!((ALLOCATIONS.load(SeqCst), FREED.load(SeqCst)), before);
}
