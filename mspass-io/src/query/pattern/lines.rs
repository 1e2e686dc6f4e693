//! `^` between lines as PCRE means it: not after a newline that ends the text.
//!
//! The `regex` crate sees an empty line there and has no way to say otherwise, so its automaton is
//! walked here once more, in time linear in text and pattern, when it found a match in a text that
//! ends with a newline.

use regex_automata::nfa::thompson::{Config, NFA, State};
use regex_automata::util::look::{Look, LookMatcher};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;

use super::COMPILED_BYTES_MAX;
use crate::error::{Error, Result};

/// The automaton of a pattern.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    automaton: NFA,
}

impl Lines {
    /// Compiles a pattern of the `regex` crate with the options that `has` tells.
    pub(super) fn parse(translated: &str, has: impl Fn(char) -> bool) -> Result<Self> {
        let syntax = syntax::Config::new()
            .case_insensitive(has('i'))
            .multi_line(has('m'))
            .dot_matches_new_line(has('s'))
            .ignore_whitespace(has('x'));
        let config = Config::new().nfa_size_limit(Some(COMPILED_BYTES_MAX));
        let built = NFA::compiler().configure(config).syntax(syntax).build(translated);
        let automaton = built.map_err(|error| {
            Error::query(format!("a regular expression cannot be compiled: {error}"))
        })?;
        Ok(Self { automaton })
    }

    /// Whether a text holds a match.
    pub(super) fn are_in(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let mut states = States::new(self.automaton.states().len());
        let mut next = Vec::new();
        for at in 0..=bytes.len() {
            next.push(self.automaton.start_anchored());
            states.clear();
            if self.follow(&mut next, &mut states, bytes, at) {
                return true;
            }
            let Some(byte) = bytes.get(at) else { break };
            next.extend(states.list.iter().filter_map(|state| self.step(*state, *byte)));
        }
        false
    }

    /// All states that those in `begin` lead to without a byte; true where one is a match.
    fn follow(
        &self,
        begin: &mut Vec<StateID>,
        states: &mut States,
        bytes: &[u8],
        at: usize,
    ) -> bool {
        while let Some(id) = begin.pop() {
            if !states.insert(id) {
                continue;
            }
            match self.automaton.state(id) {
                State::Match { .. } => return true,
                State::Look { look, next } if holds(*look, bytes, at) => begin.push(*next),
                State::Union { alternates } => begin.extend(alternates.iter().copied()),
                State::BinaryUnion { alt1, alt2 } => begin.extend([*alt1, *alt2]),
                State::Capture { next, .. } => begin.push(*next),
                _ => {}
            }
        }
        false
    }

    /// Where a byte leads.
    fn step(&self, id: StateID, byte: u8) -> Option<StateID> {
        match self.automaton.state(id) {
            State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
            State::Sparse(sparse) => sparse.matches_byte(byte),
            State::Dense(dense) => dense.matches_byte(byte),
            _ => None,
        }
    }
}

/// Whether an assertion holds at a place of a text.
fn holds(look: Look, bytes: &[u8], at: usize) -> bool {
    match (look, at.checked_sub(1)) {
        (Look::StartLF, None) => true,
        (Look::StartLF, Some(before)) => at < bytes.len() && bytes[before] == b'\n',
        _ => LookMatcher::new().matches(look, bytes, at),
    }
}

/// A set of states, in the order of their coming.
struct States {
    list: Vec<StateID>,
    held: Vec<bool>,
}

impl States {
    fn new(count: usize) -> Self {
        Self { list: Vec::new(), held: vec![false; count] }
    }

    fn clear(&mut self) {
        self.list.drain(..).for_each(|id| self.held[id.as_usize()] = false);
    }

    fn insert(&mut self, id: StateID) -> bool {
        let new = !std::mem::replace(&mut self.held[id.as_usize()], true);
        if new {
            self.list.push(id);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::super::Pattern;

    fn is_in(pattern: &str, options: &str, text: &str) -> bool {
        Pattern::parse(pattern, options).unwrap().is_in(text)
    }

    #[test]
    fn no_line_begins_after_the_last_newline() {
        for (pattern, text, due) in [
            ("a\\n^", "a\n", false),
            ("a\\n^", "a\nb", true),
            ("\\n^$", "a\n", false),
            ("\\n^$", "a\n\n", true),
            ("^$", "\n", true),
            ("^$", "a\n", false),
            ("^b|\\n$", "a\n", true),
            ("(^|x)$", "a\n", false),
            ("(^|x)$", "x\n", true),
            ("^", "a\n", true),
            ("^B\\n", "a\nb\n", false),
            ("^[\u{e9}b]+\\s", "a\n\u{e9}b\n", true),
        ] {
            assert_eq!(is_in(pattern, "m", text), due, "/{pattern}/m in {text:?}");
        }
        assert!(is_in("^B\\n", "mi", "a\nb\n"));
        assert!(is_in(r"\n\A|^\z", "m", ""));
    }
}
