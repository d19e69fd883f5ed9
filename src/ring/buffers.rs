//! Receive buffers that the kernel picks from: one provided-buffer ring per worker.
//!
//! Address space for the most buffers there may be is reserved at start, but only those published have
//! memory: a first touch costs microseconds a page, so a batch is touched when it is added, not when a
//! query's result arrives. Received buffers form queues by index; an idle session holds none.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

/// Buffers added at a time.
pub(super) const BATCH: u16 = 256;

/// No buffer.
pub(super) const NONE: u16 = u16::MAX;

/// Identifies the only buffer group of a ring.
pub(super) const GROUP: u16 = 0;

/// A FIFO of received buffers, linked through [`Buffers`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    pub head: u16,
    pub tail: u16,
    pub count: u16,
}

impl Queue {
    pub(super) const EMPTY: Queue = Queue { head: NONE, tail: NONE, count: 0 };
}

/// The pool.
#[derive(Debug)]
pub(super) struct Buffers {
    entries: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    size: usize,
    capacity: u16,
    published: u16,
    /// Of these, how many wait in queues.
    held: u16,
    tail: u16,
    next: Box<[u16]>,
    len: Box<[u32]>,
    loans: Box<[Loan]>,
}

/// What the kernel still reads of a buffer.
#[derive(Clone, Copy, Debug, Default)]
struct Loan {
    /// Sends from it that have not been notified.
    sends: u8,
    /// It stands in no queue any longer.
    over: bool,
}

fn map(bytes: usize) -> io::Result<NonNull<u8>> {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a fresh anonymous mapping at an address of the kernel's choice aliases nothing.
    let address = unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, protection, flags) }?;
    Ok(NonNull::new(address.cast()).expect("the kernel never maps page zero for us"))
}

/// The same, in pages of 2 MiB where the kernel finds some (transparent_hugepage, at least `madvise`).
fn map_huge(bytes: usize) -> io::Result<NonNull<u8>> {
    const HUGE: usize = 2 << 20;
    let start = map(bytes + HUGE)?;
    let gap = start.as_ptr().align_offset(HUGE);
    // The gap is smaller than what was mapped in addition.
    let aligned = NonNull::new(start.as_ptr().wrapping_add(gap)).expect("inside the mapping");
    // SAFETY: the range lies in the mapping, and the advice changes no contents.
    unsafe { madvise(aligned.as_ptr().cast(), bytes, Advice::LinuxHugepage) }?;
    Ok(aligned)
}

impl Buffers {
    /// Registers a buffer ring of at most `capacity` (a power of two, at most 32768) buffers of `size` bytes.
    ///
    /// The mappings live as long as the process: the kernel may write to them until the ring is gone.
    pub(super) fn register(ring: &IoUring, capacity: u16, size: usize, huge: bool) -> io::Result<Buffers> {
        let entries: NonNull<BufRingEntry> = map(usize::from(capacity) * size_of::<BufRingEntry>())?.cast();
        let map = if huge { map_huge } else { map };
        let memory = map(usize::from(capacity) * size)?;
        let address = entries.as_ptr() as u64;
        // SAFETY: the mapping holds `capacity` entries, is page aligned and is never unmapped.
        unsafe { ring.submitter().register_buf_ring_with_flags(address, capacity, GROUP, 0) }?;
        let mut buffers = Buffers {
            entries,
            memory,
            size,
            capacity,
            published: 0,
            held: 0,
            tail: 0,
            next: vec![NONE; usize::from(capacity)].into_boxed_slice(),
            len: vec![0; usize::from(capacity)].into_boxed_slice(),
            loans: vec![Loan::default(); usize::from(capacity)].into_boxed_slice(),
        };
        buffers.grow();
        Ok(buffers)
    }

    /// Bytes of one buffer.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Adds a batch, touching its memory first; false when all there may be are in use.
    #[cold]
    pub(super) fn grow(&mut self) -> bool {
        let until = self.published.saturating_add(BATCH).min(self.capacity);
        if until == self.published {
            return false;
        }
        for index in self.published..until {
            for page in (0..self.size).step_by(4096) {
                // SAFETY: `page` lies inside buffer `index`, which lies inside the mapping.
                let byte = unsafe { self.start(index).add(page) };
                // SAFETY: the byte is inside our own mapping, and the kernel does not know this buffer yet.
                unsafe { byte.write_volatile(0) };
            }
            self.publish(index);
        }
        self.published = until;
        self.flush();
        true
    }

    fn start(&self, index: u16) -> *mut u8 {
        debug_assert!(index < self.capacity);
        // SAFETY: the index is below the capacity that the mapping was made for.
        unsafe { self.memory.as_ptr().add(usize::from(index) * self.size) }
    }

    /// Writes the entry; the kernel sees it at the next flush.
    fn publish(&mut self, index: u16) {
        let place = usize::from(self.tail & (self.capacity - 1));
        let address = self.start(index) as u64;
        // SAFETY: `place` is below the capacity that the mapping was made for.
        let entry = unsafe { self.entries.as_ptr().add(place) };
        // SAFETY: the entry lies in our mapping and the kernel does not read it before the tail moves.
        let entry = unsafe { &mut *entry };
        entry.set_addr(address);
        entry.set_len(self.size as u32);
        entry.set_bid(index);
        self.tail = self.tail.wrapping_add(1);
    }

    fn flush(&self) {
        // SAFETY: the ring's tail lies in its first entry, which is mapped.
        let tail = unsafe { BufRingEntry::tail(self.entries.as_ptr()) };
        // SAFETY: the tail is two bytes, aligned, written by us alone and read atomically by the kernel.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    /// Buffers that have memory.
    pub(super) fn published(&self) -> usize {
        self.published.into()
    }

    /// Buffers that the kernel may pick.
    pub(super) fn free(&self) -> u16 {
        self.published - self.held
    }

    /// Gives a buffer back to the kernel.
    pub(super) fn recycle(&mut self, index: u16) {
        self.held -= 1;
        self.publish(index);
        self.flush();
    }

    /// Takes note of a buffer that the kernel filled with `len` bytes.
    pub(super) fn push(&mut self, queue: &mut Queue, index: u16, len: u32) {
        debug_assert!(len as usize <= self.size);
        self.held += 1;
        self.next[usize::from(index)] = NONE;
        self.len[usize::from(index)] = len;
        if queue.count == 0 {
            queue.head = index;
        } else {
            self.next[usize::from(queue.tail)] = index;
        }
        queue.tail = index;
        queue.count += 1;
    }

    /// Removes the first buffer and gives it back.
    pub(super) fn pop(&mut self, queue: &mut Queue) {
        let index = queue.head;
        queue.head = self.next[usize::from(index)];
        queue.count -= 1;
        match &mut self.loans[usize::from(index)] {
            Loan { sends: 0, .. } => self.recycle(index),
            loan => loan.over = true,
        }
    }

    /// The kernel reads a buffer that stands in a queue until [`take_back`](Self::take_back).
    pub(super) fn lend(&mut self, index: u16) {
        self.loans[usize::from(index)].sends += 1;
    }

    /// One loan of a buffer has ended.
    pub(super) fn take_back(&mut self, index: u16) {
        let loan = &mut self.loans[usize::from(index)];
        loan.sends -= 1;
        if loan.sends == 0 && std::mem::take(&mut loan.over) {
            self.recycle(index);
        }
    }

    /// How many batches there may be.
    pub(super) fn batches(&self) -> u16 {
        self.capacity.div_ceil(BATCH)
    }

    /// The memory of a batch of which buffers are in use.
    pub(super) fn batch(&self, number: u16) -> Option<libc::iovec> {
        let first = number * BATCH;
        let last = (first + BATCH).min(self.capacity);
        let iov_len = usize::from(last - first) * self.size;
        (first < self.published).then(|| libc::iovec { iov_base: self.start(first).cast(), iov_len })
    }

    /// Bytes in the first buffer.
    pub(super) fn head_len(&self, queue: &Queue) -> u32 {
        self.len[usize::from(queue.head)]
    }

    /// The first buffer's bytes; empty when there is none.
    pub(super) fn head(&self, queue: &Queue) -> &[u8] {
        if queue.count == 0 { &[] } else { self.bytes(queue.head) }
    }

    /// The bytes of a buffer that stands in a queue.
    fn bytes(&self, index: u16) -> &[u8] {
        let len = self.len[usize::from(index)] as usize;
        // SAFETY: the kernel wrote `len` bytes there and does not touch the buffer until it is recycled,
        // which needs `&mut self`.
        unsafe { std::slice::from_raw_parts(self.start(index), len) }
    }

    /// Appends the bytes of all buffers of a queue to `to`, without the first `written`.
    pub(super) fn append(&self, queue: &Queue, written: usize, to: &mut Vec<u8>) {
        let (mut index, mut skip) = (queue.head, written);
        for _ in 0..queue.count {
            let bytes = self.bytes(index);
            to.extend_from_slice(&bytes[skip.min(bytes.len())..]);
            (index, skip) = (self.next[usize::from(index)], 0);
        }
    }

    /// Puts bytes that came another way into buffers at the end of a queue. False: there are not enough that
    /// the kernel has never seen, and it would have to give one of its own back. The queue may hold a part.
    #[cold]
    pub(super) fn store(&mut self, queue: &mut Queue, bytes: &[u8]) -> bool {
        for part in bytes.chunks(self.size) {
            if self.published == self.capacity {
                return false;
            }
            let index = self.published;
            self.published += 1;
            self.copy_in(index, 0, part);
            self.push(queue, index, part.len() as u32);
        }
        true
    }

    /// Copies bytes from elsewhere to offset `at` of a buffer, where they must fit.
    fn copy_in(&self, index: u16, at: usize, from: &[u8]) {
        assert!(at + from.len() <= self.size);
        // SAFETY: `at` is at most the buffer's size.
        let to = unsafe { self.start(index).add(at) };
        // SAFETY: the bytes lie in another buffer or outside, and fit into this one.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
    }

    /// Joins the second buffer to the first where it fits, so that held bytes are one slice.
    pub(super) fn coalesce(&mut self, queue: &mut Queue) {
        while queue.count > 1 {
            let second = self.next[usize::from(queue.head)];
            let (have, more) = (self.head_len(queue) as usize, self.len[usize::from(second)] as usize);
            if have + more > self.size {
                return;
            }
            self.copy_in(queue.head, have, self.bytes(second));
            self.len[usize::from(queue.head)] = (have + more) as u32;
            self.next[usize::from(queue.head)] = self.next[usize::from(second)];
            if queue.tail == second {
                queue.tail = queue.head;
            }
            queue.count -= 1;
            self.recycle(second);
        }
    }
}
