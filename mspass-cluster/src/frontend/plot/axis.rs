//! Ticks and their labels: values, frequencies on a logarithmic scale, and UTC time.

use mspass_core::UtcTime;
use mspass_core::time::NANOS_PER_SECOND;

/// Ticks on any axis at most: a bound on loops, never met by a sensible axis.
const TICKS_MAX: usize = 64;
/// Larger values are drawn as this, so that their differences stay finite.
const HUGE: f64 = 1e300;

/// An axis of values, low end to high end, with round ticks.
#[derive(Debug)]
pub(crate) struct ValueAxis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) ticks: Vec<(f64, String)>,
    /// What must be said of the numbers beside the unit: a power of ten or an offset; often empty.
    pub(crate) remark: String,
}

impl ValueAxis {
    /// An axis around `low` to `high` (finite) with a small margin and about `ticks` ticks.
    pub(crate) fn around(low: f64, high: f64, ticks: usize) -> Self {
        let (low, high) = (low.clamp(-HUGE, HUGE), high.clamp(-HUGE, HUGE));
        let size = low.abs().max(high.abs());
        let flat = high - low <= size * 1e-12;
        let margin = match (flat, size > 1e-300) {
            (false, _) => (high - low) * 0.05,
            (true, true) => size * 0.1,
            (true, false) => 1.0,
        };
        Self::between(low - margin, high + margin, ticks)
    }

    /// An axis from `low` to `high`, finite and apart.
    pub(crate) fn between(low: f64, high: f64, ticks: usize) -> Self {
        let step = round_step((high - low) / ticks.max(1) as f64);
        let size = low.abs().max(high.abs());
        let offset = if (high - low) < size * 1e-4 { (low + high) / 2.0 } else { 0.0 };
        let exponent = power_of_thousand(size.min((high - low).max(size - offset.abs())));
        let unit = 10f64.powi(exponent);
        let decimals = decimals(step / unit);
        let first = ((low - offset) / step).ceil();
        let ticks = (0..TICKS_MAX)
            .map(|number| (first + number as f64) * step)
            .take_while(|value| value + offset <= high)
            .map(|value| (value + offset, format!("{:.decimals$}", value / unit + 0.0)))
            .collect();
        let power =
            if exponent == 0 { String::new() } else { format!("× 10{}", superscript(exponent)) };
        let remark = if offset == 0.0 { power } else { format!("{power} + {offset:.6e}") };
        Self { low, high, ticks, remark }
    }

    /// The fraction of the axis, 0 at the low end, at which `value` lies.
    pub(crate) fn fraction(&self, value: f64) -> f64 {
        let value = value.clamp(-HUGE, HUGE);
        (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0)
    }
}

/// The nearest by ratio of 1, 2 and 5 times powers of ten.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.max(1e-305).log10().floor());
    let off = |factor: &f64| (factor * power / step).log10().abs();
    let factors = [1.0, 2.0, 5.0, 10.0];
    factors.into_iter().min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(1.0) * power
}

/// Decimals that tell multiples of `step` apart.
fn decimals(step: f64) -> usize {
    (-(step.log10() + 1e-9).floor()).clamp(0.0, 12.0) as usize
}

/// 0 for sizes that read well as they are, else the exponent of a power of 1000.
fn power_of_thousand(size: f64) -> i32 {
    if (0.01..1e4).contains(&size) || size <= 0.0 {
        return 0;
    }
    ((size.log10() + 1e-9) / 3.0).floor().clamp(-100.0, 100.0) as i32 * 3
}

fn superscript(number: i32) -> String {
    let raised = |character| match character {
        '-' => '⁻',
        digit => "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(digit as usize - '0' as usize).unwrap_or(digit),
    };
    number.to_string().chars().map(raised).collect()
}

/// A logarithmic axis.
#[derive(Debug)]
pub(crate) struct LogAxis {
    low: f64,
    high: f64,
}

impl LogAxis {
    /// An axis from `low` to `high`, both positive and finite; widened where they are too close.
    pub(crate) fn between(low: f64, high: f64) -> Self {
        let low = low.max(1e-300);
        Self { low, high: if high > low * 1.01 { high } else { low * 10.0 } }
    }

    pub(crate) fn fraction(&self, value: f64) -> f64 {
        (value / self.low).log10() / (self.high / self.low).log10()
    }

    /// Values 1 to 9 times each power of ten on the axis; a label where there is room for one.
    pub(crate) fn ticks(&self) -> Vec<(f64, Option<String>)> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().floor() as i32);
        let decades = last - first + 1;
        let stride = (decades / 8).max(1);
        let mut ticks = Vec::new();
        for exponent in (first..=last).filter(|exponent| exponent.rem_euclid(stride) == 0) {
            for factor in 1..10 {
                let value = f64::from(factor) * 10f64.powi(exponent);
                let wanted = factor == 1 || (decades <= 3 && [2, 5].contains(&factor));
                let on_axis = value >= self.low * (1.0 - 1e-9) && value <= self.high * (1.0 + 1e-9);
                if on_axis && (factor == 1 || stride == 1) {
                    ticks.push((value, wanted.then(|| frequency_label(value))));
                }
            }
        }
        ticks
    }
}

fn frequency_label(value: f64) -> String {
    if (1e-4..1e6).contains(&value) {
        format!("{:.*}", decimals(value), value)
    } else {
        let exponent = value.log10().floor() as i32;
        format!("{:.0}·10{}", value / 10f64.powi(exponent), superscript(exponent))
    }
}

/// A tick on a time axis.
#[derive(Debug, PartialEq)]
pub(crate) struct TimeTick {
    pub(crate) time: UtcTime,
    pub(crate) label: String,
    /// The date, where the label is a time of day and the date is new.
    pub(crate) date: Option<String>,
}

/// How far apart ticks are: a span of nanoseconds, or so many calendar months.
#[derive(Clone, Copy, Debug)]
enum TimeStep {
    Nanos(i64),
    Months(i64),
}

const MINUTE: i64 = 60 * NANOS_PER_SECOND;
const DAY: i64 = 1440 * MINUTE;

impl TimeStep {
    /// All steps, short ones first.
    fn all() -> impl Iterator<Item = Self> {
        let tens = (0..9).map(|power| 10i64.pow(power));
        let fractions = tens.flat_map(|power| [power, 2 * power, 5 * power]);
        let seconds = [1, 2, 5, 10, 15, 30].map(|n| n * NANOS_PER_SECOND);
        let minutes = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map(|n| n * MINUTE);
        let days = [1, 2, 5, 10].map(|n| n * DAY);
        let months = [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400].map(Self::Months);
        let nanos = fractions.chain(seconds).chain(minutes).chain(days);
        nanos.map(Self::Nanos).chain(months)
    }

    fn length_nanos(self) -> f64 {
        match self {
            Self::Nanos(nanos) => nanos as f64,
            Self::Months(months) => months as f64 * 30.44 * DAY as f64,
        }
    }

    /// Width of a label with the space that it needs, in units of a plot.
    fn label_width(self) -> f64 {
        let characters = match self {
            Self::Nanos(nanos) if nanos < NANOS_PER_SECOND => 9 + fraction_digits(nanos),
            Self::Nanos(nanos) if nanos < MINUTE => 8,
            Self::Nanos(nanos) if nanos < DAY => 5,
            Self::Nanos(_) => 10,
            Self::Months(months) if months < 12 => 7,
            Self::Months(_) => 4,
        };
        characters as f64 * 7.0 + 22.0
    }

    fn label(self, time: UtcTime) -> String {
        let date = date_of(time);
        let of_day = time.nanos().rem_euclid(DAY);
        let (hour, minute) = (of_day / (60 * MINUTE), of_day / MINUTE % 60);
        let (second, fraction) = (of_day / NANOS_PER_SECOND % 60, of_day % NANOS_PER_SECOND);
        match self {
            Self::Nanos(nanos) if nanos < NANOS_PER_SECOND => {
                let digits = fraction_digits(nanos);
                let fraction = fraction / 10i64.pow(9 - digits as u32);
                format!("{hour:02}:{minute:02}:{second:02}.{fraction:0digits$}")
            }
            Self::Nanos(nanos) if nanos < MINUTE => format!("{hour:02}:{minute:02}:{second:02}"),
            Self::Nanos(nanos) if nanos < DAY => format!("{hour:02}:{minute:02}"),
            Self::Nanos(_) => date,
            Self::Months(months) if months < 12 => date.chars().take(7).collect(),
            Self::Months(_) => date.chars().take(4).collect(),
        }
    }

    /// Multiples of the step from `start` to `end`.
    fn instants(self, start: UtcTime, end: UtcTime) -> Vec<UtcTime> {
        match self {
            Self::Nanos(nanos) => {
                let first = start.floor_to(nanos);
                let first = if first < start { first + nanos } else { first };
                (0..TICKS_MAX as i64)
                    .map_while(|number| first.nanos().checked_add(nanos.checked_mul(number)?))
                    .map(UtcTime::from_nanos)
                    .take_while(|&time| time <= end)
                    .collect()
            }
            Self::Months(step) => {
                let date = date_of(start);
                let mut fields = date.split('-').map(|field| field.parse::<i64>().unwrap_or(1));
                let year = fields.next().unwrap_or(1970);
                let month = year * 12 + fields.next().unwrap_or(1) - 1;
                let first = month.div_euclid(step) * step;
                (0..TICKS_MAX as i64)
                    .map(|number| first + number * step)
                    .filter_map(|month| {
                        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
                        format!("{year:04}-{month:02}-01").parse().ok()
                    })
                    .filter(|time| (start..=end).contains(time))
                    .collect()
            }
        }
    }
}

/// Decimals of a second that tell multiples of `nanos` apart.
fn fraction_digits(nanos: i64) -> usize {
    (1..9).find(|&digits| nanos % 10i64.pow(9 - digits) == 0).unwrap_or(9) as usize
}

/// The calendar date of an instant, `YYYY-MM-DD`.
pub(crate) fn date_of(time: UtcTime) -> String {
    let text = time.to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// An axis of time.
#[derive(Debug)]
pub(crate) struct TimeAxis {
    pub(crate) start: UtcTime,
    pub(crate) end: UtcTime,
}

impl TimeAxis {
    /// An axis from `start` to `end`; where they are not apart, one second around them.
    pub(crate) fn between(start: UtcTime, end: UtcTime) -> Self {
        if start < end {
            Self { start, end }
        } else {
            Self { start: start + -NANOS_PER_SECOND / 2, end: start + NANOS_PER_SECOND / 2 }
        }
    }

    fn length_nanos(&self) -> f64 {
        (i128::from(self.end.nanos()) - i128::from(self.start.nanos())) as f64
    }

    /// The fraction of the axis at which the instant `seconds` after `time` lies.
    pub(crate) fn fraction(&self, time: UtcTime, seconds: f64) -> f64 {
        let since = i128::from(time.nanos()) - i128::from(self.start.nanos());
        (since as f64 + seconds * 1e9) / self.length_nanos()
    }

    /// Ticks with labels that fit side by side into `width` units.
    pub(crate) fn ticks(&self, width: f64) -> Vec<TimeTick> {
        let fits = |step: &TimeStep| {
            self.length_nanos() / step.length_nanos() * step.label_width() <= width
        };
        let step = TimeStep::all().find(fits).unwrap_or(TimeStep::Months(2400));
        let with_date = matches!(step, TimeStep::Nanos(nanos) if nanos < DAY);
        let mut last_date = String::new();
        let tick = |time| {
            let date = date_of(time);
            let is_new = with_date && date != last_date;
            last_date.clone_from(&date);
            TimeTick { time, label: step.label(time), date: is_new.then_some(date) }
        };
        step.instants(self.start, self.end).into_iter().map(tick).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &ValueAxis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.1.as_str()).collect()
    }

    fn time_labels(start: &str, end: &str, width: f64) -> Vec<String> {
        let axis = TimeAxis::between(start.parse().unwrap(), end.parse().unwrap());
        axis.ticks(width).into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn values_get_round_ticks() {
        assert_eq!(labels(&ValueAxis::between(-7.0, 11.0, 4)), ["-5", "0", "5", "10"]);
        let counts = ValueAxis::around(-242_297.0, 104_605.0, 4);
        assert_eq!(
            (labels(&counts), counts.remark.as_str()),
            (vec!["-200", "-100", "0", "100"], "× 10³")
        );
        let small = ValueAxis::around(-2.1e-7, 3e-7, 3);
        assert_eq!((labels(&small), small.remark.as_str()), (vec!["-200", "0", "200"], "× 10⁻⁹"));
        let offset = ValueAxis::around(1e9 - 1.0, 1e9 + 1.0, 3);
        assert_eq!(
            (labels(&offset), offset.remark.as_str()),
            (vec!["-1", "0", "1"], " + 1.000000e9")
        );
    }

    #[test]
    fn any_finite_values_get_an_axis() {
        let ends = [0.0, -0.0, 1.0, 1e-310, -1e-310, 7e5, f64::MAX, f64::MIN, 1e-9, 123456789.125];
        for low in ends {
            for high in ends.into_iter().filter(|&high| high >= low) {
                let axis = ValueAxis::around(low, high, 4);
                assert!(axis.low < axis.high, "{low} {high}");
                assert!((1..=12).contains(&axis.ticks.len()), "{low} {high} {axis:?}");
                let inside = axis.fraction(low.clamp(axis.low, axis.high));
                assert!((0.0..=1.0).contains(&inside), "{low} {high}");
                assert!(axis.ticks.iter().all(|tick| tick.1.len() < 9), "{low} {high} {axis:?}");
            }
        }
    }

    #[test]
    fn frequencies_get_decades() {
        let axis = LogAxis::between(0.003, 50.0);
        let named: Vec<_> = axis.ticks().into_iter().filter_map(|tick| tick.1).collect();
        assert_eq!(named, ["0.01", "0.1", "1", "10"]);
        assert!((axis.fraction(50.0) - 1.0).abs() < 1e-12);
        assert_eq!(LogAxis::between(1.0, 1.0).fraction(10.0), 1.0);
        assert!(LogAxis::between(1e-300, 1e300).ticks().len() < 200);
    }

    #[test]
    fn time_labels_follow_the_span() {
        let hour = time_labels("2010-09-01T07:00:00", "2010-09-01T08:00:00", 890.0);
        assert_eq!((hour.len(), hour[1].as_str()), (13, "07:05"));
        let day = time_labels("2010-09-01", "2010-09-02", 890.0);
        assert_eq!((day.len(), day[1].as_str()), (13, "02:00"));
        let short = time_labels("2010-09-01T07:00:00.1", "2010-09-01T07:00:00.135", 890.0);
        assert_eq!(short[..2], ["07:00:00.100", "07:00:00.105"]);
        let minute = time_labels("2010-09-01T07:00:07", "2010-09-01T07:01:00", 500.0);
        assert_eq!(minute[0], "07:00:10");
        let years = time_labels("1999-05-01", "2020-02-01", 500.0);
        assert_eq!(years[..2], ["2000", "2005"]);
        let months = time_labels("2010-01-15", "2010-06-15", 500.0);
        assert_eq!(months, ["2010-02", "2010-03", "2010-04", "2010-05", "2010-06"]);
    }

    #[test]
    fn dates_stand_where_they_change() {
        let times = ["2010-09-01T22:00:00", "2010-09-02T02:00:00"].map(|t| t.parse().unwrap());
        let ticks = TimeAxis::between(times[0], times[1]).ticks(300.0);
        let dates: Vec<_> = ticks.iter().filter_map(|tick| tick.date.as_deref()).collect();
        assert_eq!(dates, ["2010-09-01", "2010-09-02"]);
    }

    #[test]
    fn any_span_of_time_has_a_few_ticks() {
        let ends = [i64::MIN, -1, 0, 1, 1_283_299_200_000_000_000, i64::MAX - 1, i64::MAX];
        for start in ends {
            for end in ends {
                let axis = TimeAxis::between(UtcTime::from_nanos(start), UtcTime::from_nanos(end));
                assert!(axis.ticks(890.0).len() <= 40, "{start} {end}");
                assert!(axis.fraction(UtcTime::from_nanos(end), 0.0).is_finite());
            }
        }
    }
}
