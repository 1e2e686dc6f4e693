//! Which index answers a query.

use super::index::{Index, OVERFLOW};
use crate::query::{Bounds, Interval, Matcher, Path, Sort, after_prefix, invert};

/// Intervals that one query may have in an index at most.
const INTERVALS_MAX: usize = 1_000;

/// Where to look for the documents of a query; all that is found is tested again.
#[derive(Debug)]
pub(super) struct Plan {
    /// `None` is the documents themselves, by `_id`.
    pub(super) index: Option<Index>,
    /// Ascending and apart.
    pub(super) intervals: Vec<Interval>,
    pub(super) reverse: bool,
    /// Whether the documents come in the order of the sort.
    pub(super) sorted: bool,
}

struct Candidate {
    plan: Plan,
    /// Leading keys with values that the filter names.
    equal: usize,
    ranged: bool,
}

impl Plan {
    pub(super) fn choose(matcher: &Matcher, sort: &Sort, indexes: Vec<Index>) -> Self {
        let id_keys = [(Path::parse("_id"), false)];
        let by_id = Candidate::new(matcher, sort, &id_keys, None);
        let ids_named = by_id.equal > 0;
        let by_index = indexes.into_iter().map(|index| {
            let keys = index.keys.clone();
            Candidate::new(matcher, sort, &keys, Some(index))
        });
        let candidates = std::iter::once(by_id).chain(by_index);
        let score = |c: &Candidate| {
            let by_id = c.plan.index.is_none();
            let in_order = c.plan.sorted && !sort.is_empty();
            (ids_named && by_id, c.equal, in_order, c.ranged, by_id)
        };
        let best = candidates.reduce(|a, b| if score(&b) > score(&a) { b } else { a });
        best.map_or_else(Self::everything, |best| best.plan)
    }

    /// Whether it looks at less than everything.
    pub(super) fn is_bounded(&self) -> bool {
        let everything = Interval::everything();
        !self.intervals.iter().any(|i| i.start == everything.start && i.end == everything.end)
    }

    fn everything() -> Self {
        Self { index: None, intervals: vec![Interval::everything()], reverse: false, sorted: false }
    }
}

impl Candidate {
    fn new(matcher: &Matcher, sort: &Sort, keys: &[(Path, bool)], index: Option<Index>) -> Self {
        let multikey = index.as_ref().is_some_and(|index| index.multikey);
        let mut prefixes = vec![Vec::new()];
        let (mut equal, mut fixed, mut range) = (0, 0, None);
        for (path, descending) in keys {
            let Some(bounds) = Bounds::of(matcher, path.as_str(), !multikey) else { break };
            if !bounds.points || prefixes.len() * bounds.intervals.len() > INTERVALS_MAX {
                range = Some((bounds, *descending));
                break;
            }
            let points = points(&bounds, *descending);
            fixed += usize::from(points.len() == 1 && fixed == equal);
            equal += 1;
            prefixes = prefixes
                .iter()
                .flat_map(|prefix: &Vec<u8>| {
                    points.iter().map(move |point| [prefix.as_slice(), point].concat())
                })
                .collect();
        }
        let ranged = range.is_some();
        let mut intervals = intervals(prefixes, range);
        if multikey && intervals.last().is_none_or(|last| last.end.is_some()) {
            intervals.push(Interval::prefix(OVERFLOW.to_vec()));
        }
        let order = order(keys, fixed, sort).filter(|_| !multikey);
        let plan =
            Plan { index, intervals, reverse: order.unwrap_or(false), sorted: order.is_some() };
        Self { plan, equal, ranged }
    }
}

/// The keys of the single values, ascending.
fn points(bounds: &Bounds, descending: bool) -> Vec<Vec<u8>> {
    let mut points: Vec<_> = bounds.intervals.iter().map(|i| i.start.clone()).collect();
    if descending {
        points.iter_mut().for_each(|point| invert(point));
        points.reverse();
    }
    points
}

fn intervals(prefixes: Vec<Vec<u8>>, range: Option<(Bounds, bool)>) -> Vec<Interval> {
    let Some((bounds, descending)) = range else {
        let interval = |prefix: Vec<u8>| match prefix.is_empty() {
            true => Interval::everything(),
            false => Interval::prefix(prefix),
        };
        return prefixes.into_iter().map(interval).collect();
    };
    let ranges: Vec<_> = match descending {
        true => bounds.intervals.iter().rev().map(Interval::inverted).collect(),
        false => bounds.intervals,
    };
    let within = |prefix: &[u8], range: &Interval| Interval {
        start: [prefix, &range.start].concat(),
        end: match &range.end {
            Some(end) => Some([prefix, end].concat()),
            None => after_prefix(prefix),
        },
    };
    let ranges = &ranges;
    let each = |prefix: Vec<u8>| ranges.iter().map(move |range| within(&prefix, range));
    prefixes.into_iter().flat_map(each).collect()
}

/// Whether rows in the order of `keys`, of which the first `fixed` have one value each, are in the
/// order of the sort, and if so whether backwards.
fn order(keys: &[(Path, bool)], fixed: usize, sort: &Sort) -> Option<bool> {
    let (constant, rest) = keys.split_at(fixed);
    let mut rest = rest.iter();
    let mut reverse = None;
    for (path, descending) in sort.keys() {
        if constant.iter().any(|(key, _)| key == path) {
            continue;
        }
        let (key, key_descending) = rest.next()?;
        let backwards = descending != key_descending;
        if key != path || *reverse.get_or_insert(backwards) != backwards {
            return None;
        }
    }
    Some(reverse.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use bson::{Document, doc};

    use super::*;

    /// Name of the index, number of intervals, whether sorted, whether backwards.
    fn plan(filter: Document, sort: Document, multikey: bool) -> (String, usize, bool, bool) {
        let index = |keys| {
            let mut index = Index::parse(&keys).unwrap();
            index.multikey = multikey;
            index
        };
        let indexes = vec![index(doc! { "net": 1, "sta": 1, "t": -1 }), index(doc! { "t": 1 })];
        let matcher = Matcher::parse(&filter).unwrap();
        let plan = Plan::choose(&matcher, &Sort::parse(&sort).unwrap(), indexes);
        let name = plan.index.map_or("_id".to_owned(), |index| index.name);
        (name, plan.intervals.len(), plan.sorted, plan.reverse)
    }

    #[test]
    fn the_index_with_the_most_named_values_is_taken() {
        let by_station = "net_1_sta_1_t_-1";
        let table = [
            (doc! {}, doc! {}, ("_id", 1, true, false)),
            (doc! { "x": 1 }, doc! { "x": 1 }, ("_id", 1, false, false)),
            (doc! { "_id": 1, "net": "IU" }, doc! {}, ("_id", 1, true, false)),
            (doc! { "_id": { "$in": [1, 2] } }, doc! { "_id": -1 }, ("_id", 2, true, true)),
            (doc! { "net": "IU" }, doc! {}, (by_station, 1, true, false)),
            (doc! { "net": { "$in": ["IU", "GE"] } }, doc! {}, (by_station, 2, true, false)),
            (
                doc! { "t": { "$gt": 1 }, "net": "IU" },
                doc! { "t": 1 },
                (by_station, 1, false, false),
            ),
            (
                doc! { "t": { "$gt": 1 }, "net": "IU", "sta": "ANMO" },
                doc! { "t": 1 },
                (by_station, 1, true, true),
            ),
            (doc! { "t": { "$gt": 1 } }, doc! {}, ("t_1", 1, true, false)),
            (doc! {}, doc! { "t": -1 }, ("t_1", 1, true, true)),
            (doc! { "$or": [{ "t": 1 }, { "net": "IU" }] }, doc! {}, ("_id", 1, true, false)),
            (doc! { "t": { "$gt": 5, "$lt": 2 } }, doc! {}, ("t_1", 0, true, false)),
        ];
        for (filter, sort, (name, intervals, sorted, reverse)) in table {
            let found = plan(filter.clone(), sort.clone(), false);
            assert_eq!(found, (name.to_owned(), intervals, sorted, reverse), "{filter} {sort}");
        }
    }

    #[test]
    fn arrays_in_an_index_leave_the_order_open_and_one_bound_unused() {
        let found = plan(doc! { "t": { "$gt": 5, "$lt": 2 } }, doc! { "t": 1 }, true);
        assert_eq!(found, ("t_1".to_owned(), 2, false, false), "one bound, and the overflow");
        let found = plan(doc! {}, doc! { "t": 1 }, true);
        assert_eq!(found, ("_id".to_owned(), 1, false, false));
    }
}
