//! The corpus of the fuzzers of tests/fuzz, and random changes of it, on every run: nothing panics, nothing
//! hangs. `PRONK_FUZZ_SECONDS` is how long the changes go on, `PRONK_FUZZ_SEED` where they begin.

#[path = "fuzz/targets.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use targets::{TARGETS, Target};

/// For one input; the longest take milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);
const LONGEST: usize = 20_000;

/// A target on a thread of its own, so that a hang is found out.
struct Runner {
    name: &'static str,
    inputs: Sender<Vec<u8>>,
    outcomes: Receiver<Result<(), String>>,
}

impl Runner {
    fn start(name: &'static str, target: Target) -> Runner {
        let (inputs, taken) = channel::<Vec<u8>>();
        let (told, outcomes) = channel();
        thread::spawn(move || {
            for input in taken {
                let outcome = catch_unwind(AssertUnwindSafe(|| target(&input)));
                if told.send(outcome.map_err(|panic| words(&*panic))).is_err() {
                    return;
                }
            }
        });
        Runner { name, inputs, outcomes }
    }

    /// One input; where it stood, if anywhere, is said when it fails.
    fn run(&self, input: &[u8], origin: &str) {
        self.inputs.send(input.to_vec()).expect("the thread lives");
        let trouble = match self.outcomes.recv_timeout(PATIENCE) {
            Ok(Ok(())) => return,
            Ok(Err(panic)) => format!("panicked: {panic}"),
            Err(_) => format!("did not return within {PATIENCE:?}"),
        };
        let kept = std::env::temp_dir().join(format!("pronk-{}-{}", self.name, std::process::id()));
        fs::write(&kept, input).expect("a writable directory");
        panic!("{} {trouble}\nfrom {origin}; the input is kept in {}", self.name, kept.display());
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no words").to_owned()
}

/// The files of a target, and for configurations the golden ones too.
fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![format!("tests/fuzz/corpus/{name}")];
    if name == "config" {
        folders.extend(["accept", "reject"].map(|folder| format!("tests/config/{folder}")));
    }
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(top.join(folder)).expect("a folder of the corpus"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file() && path.extension().is_none_or(|extension| extension != "stderr"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{name} has a corpus");
    files.into_iter().map(|path| (path.clone(), fs::read(path).expect("readable"))).collect()
}

#[test]
fn the_corpus_neither_panics_nor_hangs() {
    for (name, target) in TARGETS {
        let runner = Runner::start(name, *target);
        for (path, input) in corpus(name) {
            runner.run(&input, &path.display().to_string());
            // Every beginning of it, as far as that is cheap.
            let step = (input.len() / 32).max(1);
            for end in (0..input.len()).step_by(step) {
                runner.run(&input[..end], &format!("the first {end} bytes of {}", path.display()));
            }
        }
    }
}

/// A number of the environment, or this one.
fn number(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{variable}={text} is a number")))
}

#[test]
fn random_changes_of_the_corpus_neither_panic_nor_hang() {
    let each = Duration::from_secs(number("PRONK_FUZZ_SECONDS", 6)) / TARGETS.len() as u32;
    let seed = number("PRONK_FUZZ_SEED", 1);
    for (name, target) in TARGETS {
        let runner = Runner::start(name, *target);
        let corpus: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, input)| input).collect();
        let (mut dice, mut count) = (Rng::with_seed(seed), 0_u64);
        let end = Instant::now() + each;
        while Instant::now() < end {
            runner.run(&changed(&corpus, &mut dice), &format!("change {count} of seed {seed}"));
            count += 1;
        }
        println!("{name}: {count} changes");
        assert!(count > 0);
    }
}

/// One input with up to eight changes.
fn changed(corpus: &[Vec<u8>], dice: &mut Rng) -> Vec<u8> {
    let mut input = dice.choice(corpus).expect("a corpus").clone();
    for _ in 0..dice.usize(1..=8) {
        change(&mut input, corpus, dice);
    }
    input.truncate(LONGEST);
    input
}

/// What parsers stumble over: signs, numbers at their limits, quotes, and what is no UTF-8.
const PIECES: [&[u8]; 24] = [
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b"\xe2\x82",
    b"\n",
    b"\r\n",
    b"\\",
    b"\"",
    b"'",
    b"#",
    b"${",
    b"}",
    b" ",
    b"\t",
    b"-1",
    b"0",
    b"65536",
    b"4294967296",
    b"9223372036854775808",
    b"99999999999999999999",
    b"::",
    b"@",
    b"(",
    b",",
];

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], dice: &mut Rng) {
    let at = dice.usize(..=input.len());
    let end = (at + dice.usize(..64)).min(input.len());
    match dice.u8(..7) {
        0 => drop(input.drain(at..end)),
        1 if at < input.len() => input[at] ^= 1 << dice.u8(..8),
        2 => drop(input.splice(at..at, dice.choice(PIECES).expect("a piece").iter().copied())),
        3 => {
            let copy = input[at..end].to_vec();
            input.splice(end..end, copy.repeat(dice.usize(1..9)));
        }
        4 => drop(input.splice(at..end, dice.choice(PIECES).expect("a piece").iter().copied())),
        5 => swap_words(input, dice),
        _ => {
            let other = dice.choice(corpus).expect("a corpus");
            let from = dice.usize(..=other.len());
            let to = (from + dice.usize(..200)).min(other.len());
            input.splice(at..at, other[from..to].iter().copied());
        }
    }
}

/// A word of it, or a line, in the place of another.
fn swap_words(input: &mut Vec<u8>, dice: &mut Rng) {
    let sign = if dice.bool() { b' ' } else { b'\n' };
    let mut words: Vec<Vec<u8>> = input.split(|byte| *byte == sign).map(<[u8]>::to_vec).collect();
    let (a, b) = (dice.usize(..words.len()), dice.usize(..words.len()));
    words.swap(a, b);
    *input = words.join(&sign);
}
