//! A slice of the fuzzing on the stable compiler: random bytes, and good ones that were damaged.
//! MSPASS_SEED repeats a run, MSPASS_GARBAGE sets how many inputs each parser is given.

use std::panic::catch_unwind;

use crate::entries::{Entry, Examples};

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below.max(1)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.roll(256) as u8).collect()
    }

    /// Random bytes, or an example with up to eight faults.
    fn input(&mut self, examples: &[Vec<u8>]) -> Vec<u8> {
        if self.roll(8) == 0 {
            let length = self.roll(300);
            return self.bytes(length);
        }
        let mut bytes = examples[self.roll(examples.len())].clone();
        for _ in 0..=self.roll(8) {
            let other = self.roll(examples.len());
            self.damage(&mut bytes, &examples[other]);
        }
        bytes
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.roll(bytes.len() + 1);
        let some = self.roll(12);
        let end = bytes.len().min(at + some);
        match self.roll(7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, self.bytes(some))),
            3 => drop(bytes.splice(at..end, [255; 4])),
            4 => {
                let from = self.roll(other.len());
                let until = other.len().min(from + 40);
                drop(bytes.splice(at..end, other[from..until].iter().copied()));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.roll(8);
                }
            }
        }
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// Gives every entry its examples, and `count` inputs made from them, or as many as was asked for.
pub fn no_bytes_do_harm(entries: &[(&str, Entry, Examples)], count: u64) {
    let (seed, count) = (number("MSPASS_SEED", 7), number("MSPASS_GARBAGE", count));
    for (at, (name, entry, examples)) in entries.iter().enumerate() {
        let examples = examples();
        for example in &examples {
            entry(example);
        }
        let mut dice =
            Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(at as u64) | 1 << 40);
        let mut given = 0;
        for input in 0..count {
            let bytes = dice.input(&examples);
            given += bytes.len();
            let harmless = catch_unwind(|| entry(&bytes)).is_ok();
            assert!(harmless, "{name}: input {input} of seed {seed}: {bytes:02x?}");
        }
        println!("{name}: {count} inputs, {given} bytes, seed {seed}");
    }
}
