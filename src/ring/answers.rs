//! What the kernel answered, and what needed no request to it, as the events of a turn.

use io_uring::cqueue;

use super::lines::Flags;
use super::token::{Kind, Token};
use super::{BATCH, Event, Ready, Ring, listen, outcome};
use crate::session::op::{Completion, Direction};

/// Bulk goes on for so many steps, fills and drains of a pipe, in a turn without messages: 4 MiB with the usual pipes.
const STEPS: usize = 32;
/// For so many at least in a turn that brings messages ...
const LEAST_STEPS: usize = 8;
/// ... and for as long as these took: a step takes the time of so many of them.
const MESSAGES_OF_A_STEP: usize = 2;

impl Ring {
    /// A wait has ended: what was answered meanwhile, and how much of it is for this turn.
    pub(super) fn begin_turn(&mut self) {
        self.batch.drain(..std::mem::take(&mut self.batch_at));
        for entry in self.uring.completion().take(BATCH) {
            self.batch.push((entry.user_data(), entry.result(), entry.flags()));
        }
        self.looking = self.glances.len();
        self.ready_budget = self.ready.len().max(BATCH);
        (self.messages, self.steps) = (0, 0);
    }

    /// Takes every completion while a batch is under way: the queue must empty for the kernel to go on.
    #[cold]
    pub(super) fn collect_more(&mut self) {
        for entry in self.uring.completion() {
            self.batch.push((entry.user_data(), entry.result(), entry.flags()));
        }
    }

    /// Whether a turn has something without a wait.
    pub(super) fn has_answers(&self) -> bool {
        let unread = self.batch_at < self.batch.len();
        unread || !(self.ready.is_empty() && self.bulk.is_empty() && self.glances.is_empty())
    }

    /// Whether the kernel has answers that no turn has seen.
    pub fn is_behind(&mut self) -> bool {
        self.uring.submission().taskrun() || !self.uring.completion().is_empty()
    }

    /// The next event of this turn; None: wait again.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(&(tag, result, flags)) = self.batch.get(self.batch_at) {
                self.batch_at += 1;
                if let Some(event) = self.on_kernel(tag, result, flags) {
                    return Some(event);
                }
                continue;
            }
            self.end_glances();
            let Ready { slot, completion, outcome } = self.next_ready().or_else(|| self.next_of_bulk())?;
            return Some(Event::Completed { slot, completion, outcome });
        }
    }

    fn next_ready(&mut self) -> Option<Ready> {
        let budget = self.ready_budget.checked_sub(1)?;
        let ready = self.ready.pop_front()?;
        self.ready_budget = budget;
        Some(ready)
    }

    /// Bulk would go on while its source and its sink keep up, and whoever's message or connection came in the same turn,
    /// or comes now, would wait for it.
    fn next_of_bulk(&mut self) -> Option<Ready> {
        let most = match self.messages {
            0 => STEPS,
            messages => LEAST_STEPS.max(messages / MESSAGES_OF_A_STEP),
        };
        while self.steps < most {
            let step = self.bulk.pop_front()?;
            if let Some((completion, outcome)) = self.splice(step) {
                self.steps += 1;
                return Some(Ready { slot: step.slot, completion, outcome });
            }
        }
        None
    }

    fn on_kernel(&mut self, tag: u64, result: i32, flags: u32) -> Option<Event> {
        let token = Token::unpack(tag)?;
        self.gather.saw(token.kind);
        self.messages += usize::from(token.kind.is_message());
        match token.kind {
            Kind::Accept => Some(listen::accepted(token.slot, result)),
            Kind::HandOver => listen::handed_over(token.slot, result),
            Kind::Sent => self.on_sent(token, result),
            Kind::Mail => Some(self.on_mail(flags)),
            Kind::Wake => Some(Event::Woken),
            Kind::SendZc => self.on_lent(token, result, flags),
            Kind::Cancel => None,
            Kind::Abort => {
                self.abort_again(token);
                None
            }
            _ => self.on_session(token, result, flags),
        }
    }

    pub(super) fn on_session(&mut self, token: Token, result: i32, flags: u32) -> Option<Event> {
        let lines = &mut self.lines[token.slot as usize];
        debug_assert_eq!(lines.generation, token.generation, "an answer outlived its session");
        let side = token.side();
        if !cqueue::more(flags) {
            lines.pending[side.index()] -= 1;
        }
        let direction = token.direction();
        let answer = match token.kind {
            Kind::Receive => self.on_received(token.slot, direction, result, flags),
            Kind::Send => self.on_sent_bytes(token.slot, direction, result),
            Kind::Readable => self.on_readable(token.slot, direction, result),
            Kind::Writable => self.on_writable(token.slot, direction, result),
            _ => Some((Completion::Connected, outcome(result))),
        };
        self.settle_abort(token.slot, side);
        let (completion, outcome) = answer?;
        Some(Event::Completed { slot: token.slot, completion, outcome })
    }

    /// Behind the kernel's answers of a wait, what a glance has seen is all it will see.
    fn end_glances(&mut self) {
        for (slot, generation) in self.glances.drain(..std::mem::take(&mut self.looking)) {
            let lines = &mut self.lines[slot as usize];
            let own = lines.generation == generation;
            let line = lines.line_mut(Direction::ToServer);
            if own && line.offset == 0 && line.flags.take(Flags::HOLD) {
                self.ready.push_back(Ready { slot, completion: Completion::Held, outcome: Ok(0) });
            }
        }
    }
}
