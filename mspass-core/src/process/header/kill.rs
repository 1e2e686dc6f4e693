//! Kill tests.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::datum::Datum;
use crate::error::{Error, Result};
use crate::metadata::Value;
use crate::process::header::constant::words;
use crate::process::header::{Constant, check_key, fact, missing};
use crate::process::{Facts, Process, Scratch, by_name};

/// A span of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower edge.
    pub lower: f64,
    /// Its upper edge.
    pub upper: f64,
    /// Whether the lower edge is part of it.
    pub with_lower: bool,
    /// Whether the upper edge is part of it.
    pub with_upper: bool,
}

impl Interval {
    /// From `lower` to `upper`, both part of it.
    pub const fn closed(lower: f64, upper: f64) -> Self {
        Self { lower, upper, with_lower: true, with_upper: true }
    }

    /// From `lower` to `upper`, neither part of it.
    pub const fn open(lower: f64, upper: f64) -> Self {
        Self { lower, upper, with_lower: false, with_upper: false }
    }

    fn contains(&self, number: f64) -> bool {
        let Self { lower, upper, with_lower, with_upper } = *self;
        (number > lower || with_lower && number == lower)
            && (number < upper || with_upper && number == upper)
    }

    fn words(&self) -> String {
        let edge = |with| if with { "included" } else { "excluded" };
        let (lower, upper) = (edge(self.with_lower), edge(self.with_upper));
        format!("{} ({lower}) to {} ({upper})", self.lower, self.upper)
    }

    fn check(&self) -> Result<()> {
        let Self { lower, upper, .. } = *self;
        if lower.is_nan() || upper.is_nan() || lower > upper {
            let reason = "must be numbers, the lower one first";
            return Err(Error::parameter("interval", format!("{lower} to {upper}"), reason));
        }
        Ok(())
    }
}

/// What is said of a header value, for the datum to be killed.
///
/// Numbers, whole or real, compare with numbers, texts with texts. A value that has no order with
/// the constant (NaN, or one of another kind) equals none and kills in every other comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Is {
    /// It is greater (MsPASS `MetadataGT`).
    Above(Constant),
    /// It is greater or equal (`MetadataGE`).
    AtLeast(Constant),
    /// It is less (`MetadataLT`).
    Below(Constant),
    /// It is less or equal (`MetadataLE`).
    AtMost(Constant),
    /// It is equal (`MetadataEQ`).
    EqualTo(Constant),
    /// It is not equal (`MetadataNE`).
    NotEqualTo(Constant),
    /// It is a number of the interval (`MetadataInterval` with `kill_if_outside=False`).
    Inside(Interval),
    /// It is no number of the interval (`MetadataInterval`).
    Outside(Interval),
    /// It is there (`MetadataDefined`).
    Defined,
    /// It is not there, or null (`MetadataUndefined`).
    Undefined,
}

impl Is {
    /// Greater than a constant.
    pub fn above(constant: impl Into<Constant>) -> Self {
        Self::Above(constant.into())
    }

    /// Greater than a constant or equal to it.
    pub fn at_least(constant: impl Into<Constant>) -> Self {
        Self::AtLeast(constant.into())
    }

    /// Less than a constant.
    pub fn below(constant: impl Into<Constant>) -> Self {
        Self::Below(constant.into())
    }

    /// Less than a constant or equal to it.
    pub fn at_most(constant: impl Into<Constant>) -> Self {
        Self::AtMost(constant.into())
    }

    /// Equal to a constant.
    pub fn equal_to(constant: impl Into<Constant>) -> Self {
        Self::EqualTo(constant.into())
    }

    /// Other than a constant.
    pub fn not_equal_to(constant: impl Into<Constant>) -> Self {
        Self::NotEqualTo(constant.into())
    }

    fn check(&self) -> Result<()> {
        match self {
            Self::Above(constant)
            | Self::AtLeast(constant)
            | Self::Below(constant)
            | Self::AtMost(constant)
            | Self::EqualTo(constant)
            | Self::NotEqualTo(constant) => constant.check(),
            Self::Inside(interval) | Self::Outside(interval) => interval.check(),
            Self::Defined | Self::Undefined => Ok(()),
        }
    }

    /// Why a value kills; `None` where it does not.
    fn reason(&self, value: &Value) -> Option<String> {
        let found = words(value);
        let compared = |constant: &Constant, kills: fn(Ordering) -> bool, says: &str| match constant
            .order(value)
        {
            Some(order) => kills(order).then(|| format!("{found} is {says} {constant}")),
            None => Some(format!("{found} cannot be compared with {constant}")),
        };
        let number = f64::try_from(value).ok().filter(|number| !number.is_nan());
        match self {
            Self::Above(constant) => compared(constant, Ordering::is_gt, "above"),
            Self::AtLeast(constant) => compared(constant, Ordering::is_ge, "not below"),
            Self::Below(constant) => compared(constant, Ordering::is_lt, "below"),
            Self::AtMost(constant) => compared(constant, Ordering::is_le, "not above"),
            Self::EqualTo(constant) => (constant.order(value) == Some(Ordering::Equal))
                .then(|| format!("{found} equals {constant}")),
            Self::NotEqualTo(constant) => (constant.order(value) != Some(Ordering::Equal))
                .then(|| format!("{found} does not equal {constant}")),
            Self::Inside(interval) => match number {
                Some(number) => interval
                    .contains(number)
                    .then(|| format!("{found} is inside {}", interval.words())),
                None => Some(format!("{found} is not a number")),
            },
            Self::Outside(interval) => (!number.is_some_and(|number| interval.contains(number)))
                .then(|| format!("{found} is outside {}", interval.words())),
            Self::Defined => Some(format!("{found} is defined")),
            Self::Undefined => None,
        }
    }
}

/// One kill test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeaderTest {
    /// The name of a structural fact or of a metadata value.
    pub key: String,
    /// What kills if it is so.
    pub is: Is,
}

/// What becomes of data without a value that a test needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// They are killed.
    #[default]
    Kill,
    /// They pass the test, as they do in MsPASS.
    Pass,
}

/// Kills data by what their headers say (MsPASS's `Executioner`s): the tests are made in order, and
/// the first one that holds kills (`FiringSquad`). Data that pass them all stay as they are.
///
/// Ensembles are judged by their own metadata; [`members`](crate::process::members) has their
/// members judged.
///
/// ```
/// use mspass_core::process::{Is, Kill, Process, Scratch};
/// use mspass_core::TimeSeries;
/// let kill = Kill::when("snr", Is::below(3.0)).or_when("npts", Is::at_most(1));
/// let mut trace = TimeSeries { samples: vec![0.0; 9], ..TimeSeries::default() };
/// trace.metadata.insert("snr", 2);
/// let reason = kill.apply(&mut trace, &mut Scratch::default()).unwrap_err().to_string();
/// assert_eq!(reason, "snr: 2 is below 3");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kill {
    /// The tests in order.
    pub tests: Vec<HeaderTest>,
    /// What becomes of data without a value that a test needs.
    pub missing: Missing,
}

impl Kill {
    /// Kills where this holds.
    pub fn when(key: impl Into<String>, is: Is) -> Self {
        let tests = vec![HeaderTest { key: key.into(), is }];
        Self { tests, missing: Missing::Kill }
    }

    /// Kills as well where this holds.
    #[must_use]
    pub fn or_when(mut self, key: impl Into<String>, is: Is) -> Self {
        self.tests.push(HeaderTest { key: key.into(), is });
        self
    }

    /// Lets data pass the tests for which they have no value.
    #[must_use]
    pub fn passing_missing(self) -> Self {
        Self { missing: Missing::Pass, ..self }
    }
}

impl<T: Datum> Process<T> for Kill {
    type Output = T;

    fn name(&self) -> &str {
        "kill"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        self.tests.iter().try_for_each(|HeaderTest { key, is }| {
            check_key(key)?;
            is.check()
        })
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        for HeaderTest { key, is } in &self.tests {
            match is {
                Is::Defined => {}
                Is::Undefined => facts.need(key)?,
                _ if self.missing == Missing::Pass => {}
                _ => facts.need(key)?,
            }
        }
        Ok(())
    }

    fn apply(&self, datum: &mut T, _: &mut Scratch) -> Result<T> {
        for HeaderTest { key, is } in &self.tests {
            match fact(datum, key) {
                Some(value) => {
                    if let Some(reason) = is.reason(&value) {
                        return Err(Error::unfit(format!("{key}: {reason}")));
                    }
                }
                None if *is == Is::Undefined => return Err(missing(key)),
                None if *is == Is::Defined || self.missing == Missing::Pass => {}
                None => return Err(missing(key)),
            }
        }
        Ok(std::mem::take(datum))
    }
}
