//! What a filter demands of the value at a path, as intervals of byte keys.

use super::key::{encode_key, invert};
use super::matcher::{Comparison, Matcher, Node, Test};
use super::order::Bracket;

/// Byte keys from `start` to before `end`; `None` is the end of all keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) start: Vec<u8>,
    pub(crate) end: Option<Vec<u8>>,
}

/// Intervals, ascending and apart, outside of which no matching document has a key at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) intervals: Vec<Interval>,
    /// Whether each interval is the keys of one value.
    pub(crate) points: bool,
}

/// The first key that does not begin with `prefix`.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|b| *b != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

impl Interval {
    pub(crate) fn prefix(prefix: Vec<u8>) -> Self {
        Self { end: after_prefix(&prefix), start: prefix }
    }

    pub(crate) fn everything() -> Self {
        Self { start: Vec::new(), end: None }
    }

    /// The same interval among inverted keys.
    pub(crate) fn inverted(&self) -> Self {
        let flip = |key: &[u8]| {
            let mut key = key.to_vec();
            invert(&mut key);
            after_prefix(&key)
        };
        Self {
            start: self.end.as_deref().and_then(flip).unwrap_or_default(),
            end: if self.start.is_empty() { None } else { flip(&self.start) },
        }
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && self.end.as_deref().is_none_or(|end| key < end)
    }

    fn intersection(&self, other: &Self) -> Option<Self> {
        let start = self.start.clone().max(other.start.clone());
        let end = match (&self.end, &other.end) {
            (Some(a), Some(b)) => Some(a.min(b).clone()),
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        end.as_ref().is_none_or(|end| start < *end).then_some(Self { start, end })
    }
}

impl Bounds {
    /// What `matcher` demands at `path`, if anything that intervals can say. With `joined`, a
    /// document has one key at the path, which all demands hold for; else each demand may be met
    /// by another of its keys, and the narrowest is taken.
    pub(crate) fn of(matcher: &Matcher, path: &str, joined: bool) -> Option<Self> {
        let mut all = Vec::new();
        collect(matcher.root(), path, &mut all);
        if joined {
            return all.into_iter().reduce(|a, b| a.intersection(&b));
        }
        all.into_iter().min_by_key(|bounds| (!bounds.points, bounds.intervals.len()))
    }

    fn intersection(&self, other: &Self) -> Self {
        let pairs = self
            .intervals
            .iter()
            .flat_map(|a| other.intervals.iter().filter_map(move |b| a.intersection(b)));
        Self { intervals: pairs.collect(), points: self.points || other.points }
    }
}

fn collect(node: &Node, path: &str, all: &mut Vec<Bounds>) {
    match node {
        Node::And(nodes) => nodes.iter().for_each(|node| collect(node, path, all)),
        Node::Field(own, test) if own.as_str() == path => all.extend(bounds_of(test)),
        _ => {}
    }
}

fn bounds_of(test: &Test) -> Option<Bounds> {
    match test {
        Test::Compare(comparison, operand) => {
            let mut key = Vec::new();
            encode_key(&mut key, operand.as_raw_bson_ref());
            let bracket = Bracket::of(operand.as_raw_bson_ref());
            Some(compare_bounds(*comparison, bracket, key))
        }
        Test::In { values, patterns } if patterns.is_empty() => {
            let mut intervals = Vec::with_capacity(values.len() + 1);
            for value in values {
                let mut key = Vec::new();
                encode_key(&mut key, value.as_raw_bson_ref());
                let null = key == [Bracket::Null as u8];
                // Null stands for undefined too, which sorts just before it.
                if null {
                    intervals.push(Interval::prefix(vec![Bracket::Undefined as u8]));
                }
                intervals.push(Interval::prefix(key));
            }
            Some(Bounds { intervals, points: true })
        }
        _ => None,
    }
}

fn compare_bounds(comparison: Comparison, bracket: Bracket, key: Vec<u8>) -> Bounds {
    let range = |start, end| Bounds { intervals: vec![Interval { start, end }], points: false };
    let first = vec![bracket as u8];
    let equal = comparison == Comparison::Equal;
    match (bracket, comparison) {
        (Bracket::Null, _) => Bounds {
            intervals: vec![
                Interval::prefix(vec![Bracket::Undefined as u8]),
                Interval::prefix(key),
            ],
            points: true,
        },
        // These bound values of every type.
        (Bracket::MinKey | Bracket::MaxKey, _) if !equal => range(Vec::new(), None),
        (_, Comparison::Equal) => Bounds { intervals: vec![Interval::prefix(key)], points: true },
        (_, Comparison::Greater | Comparison::GreaterEqual) => range(key, after_prefix(&first)),
        (_, Comparison::Less | Comparison::LessEqual) => range(first, after_prefix(&key)),
    }
}
