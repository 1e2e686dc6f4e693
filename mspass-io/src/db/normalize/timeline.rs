//! Spans of time, found by binary search though they may overlap.

/// Spans sorted by start, with the row that each stands for.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: f64,
    end: f64,
    /// Latest end of this span and all before it.
    latest: f64,
    row: u32,
}

impl Timeline {
    /// Adds a span; [`Self::sort`] comes before any search.
    pub(super) fn push(&mut self, start: f64, end: f64, row: u32) {
        self.spans.push(Span { start, end, latest: end, row });
    }

    /// Brings the spans into order.
    pub(super) fn sort(&mut self) {
        self.spans.sort_by(|a, b| a.start.total_cmp(&b.start).then(b.row.cmp(&a.row)));
        let mut latest = f64::NEG_INFINITY;
        for span in &mut self.spans {
            latest = latest.max(span.end);
            span.latest = latest;
        }
        self.spans.shrink_to_fit();
    }

    /// Starts and rows of the spans that share an instant with `start` to `end`, the last begun
    /// first and of those that began together the lowest row.
    pub(super) fn overlapping(&self, start: f64, end: f64) -> impl Iterator<Item = (f64, u32)> {
        let after = self.spans.partition_point(|span| span.start <= end);
        let before = self.spans[..after].iter().rev();
        let near = before.take_while(move |span| span.latest >= start);
        near.filter(move |span| span.end >= start).map(|span| (span.start, span.row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(
            spans in prop::collection::vec((0..50_i32, 0..20_i32), 0..40),
            from in -5..60_i32,
            length in 0..5_i32,
        ) {
            let mut timeline = Timeline::default();
            for (row, (start, length)) in (0..).zip(&spans) {
                timeline.push(f64::from(*start), f64::from(start + length), row);
            }
            timeline.sort();
            let to = from + length;
            let mut found: Vec<u32> =
                timeline.overlapping(f64::from(from), f64::from(to)).map(|(_, row)| row).collect();
            found.sort_unstable();
            let due = (0_u32..).zip(&spans).filter(|(_, (s, l))| *s <= to && s + l >= from);
            prop_assert_eq!(found, due.map(|(row, _)| row).collect::<Vec<_>>());
        }
    }
}
