//! Arithmetic with header values, as Python does it.

use serde::{Deserialize, Serialize};

use crate::datum::Datum;
use crate::error::{Error, Result};
use crate::metadata::Value;
use crate::process::Facts;
use crate::process::header::constant::words;
use crate::process::header::{check_key, fact, missing};

/// An operation on two numbers.
///
/// Of two whole numbers the result is whole, but for [`Self::Divide`], whose result is always real;
/// with a real one it is real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// Left plus right.
    Add,
    /// Left minus right.
    Subtract,
    /// Left times right.
    Multiply,
    /// Left by right.
    Divide,
    /// Left by right, rounded down.
    IntegerDivide,
    /// What is left over by [`Self::IntegerDivide`]; it has the sign of the right one.
    Modulo,
}

/// What an operation works on: a number, or the key of a header value that must be one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Operand {
    /// A whole number.
    Int(i64),
    /// A real number.
    Double(f64),
    /// The name of a structural fact or of a metadata value.
    Key(String),
}

impl From<i64> for Operand {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i32> for Operand {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<f64> for Operand {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl From<&str> for Operand {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl Operand {
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Int(_) => Ok(()),
            Self::Double(number) if number.is_finite() => Ok(()),
            Self::Double(number) => Err(Error::parameter("operand", number, "must be finite")),
            Self::Key(key) => check_key(key),
        }
    }

    pub(super) fn foresee(&self, facts: &Facts) -> Result<()> {
        match self {
            Self::Key(key) => facts.need(key),
            _ => Ok(()),
        }
    }

    fn is_zero(&self) -> bool {
        match self {
            Self::Int(number) => *number == 0,
            Self::Double(number) => *number == 0.0,
            Self::Key(_) => false,
        }
    }

    fn number(&self, datum: &impl Datum) -> Result<Number> {
        let key = match self {
            Self::Int(number) => return Ok(Number::Int(*number)),
            Self::Double(number) => return Ok(Number::Double(*number)),
            Self::Key(key) => key,
        };
        match fact(datum, key).ok_or_else(|| missing(key))? {
            Value::Int(number) => Ok(Number::Int(number)),
            Value::Double(number) => Ok(Number::Double(number)),
            other => Err(Error::unfit(format!("{key}: {} is not a number", words(&other)))),
        }
    }
}

#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Double(f64),
}

impl Operator {
    fn divides(self) -> bool {
        matches!(self, Self::Divide | Self::IntegerDivide | Self::Modulo)
    }

    pub(super) fn check(self, right: &Operand) -> Result<()> {
        if self.divides() && right.is_zero() {
            return Err(Error::parameter("operand", 0, "nothing can be divided by it"));
        }
        Ok(())
    }

    /// The result for a datum; `target` names it in reasons.
    pub(super) fn compute(
        self,
        datum: &impl Datum,
        [left, right]: [&Operand; 2],
        target: &str,
    ) -> Result<Value> {
        let (left, right) = (left.number(datum)?, right.number(datum)?);
        let (a, b) = (left.double(), right.double());
        if self.divides() && b == 0.0 {
            return Err(Error::unfit(format!("{target}: {a} is divided by zero")));
        }
        if let (Number::Int(a), Number::Int(b), true) = (left, right, self != Self::Divide) {
            let too_large = || format!("{target}: the result of {a} and {b} is too large");
            return self.of_ints(a, b).map(Value::Int).ok_or_else(|| Error::unfit(too_large()));
        }
        let result = self.of_doubles(a, b);
        if !result.is_finite() {
            return Err(Error::unfit(format!("{target}: the result of {a} and {b} is not finite")));
        }
        Ok(Value::Double(result))
    }

    /// `None` where the result does not fit; `b` is not 0 where it divides.
    fn of_ints(self, a: i64, b: i64) -> Option<i64> {
        let rounded_up = |rest: i64| rest != 0 && (rest < 0) != (b < 0);
        match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
            Self::Multiply => a.checked_mul(b),
            Self::Divide => None,
            Self::IntegerDivide => {
                let quotient = a.checked_div(b)?;
                Some(if rounded_up(a % b) { quotient - 1 } else { quotient })
            }
            Self::Modulo => {
                let rest = a.wrapping_rem(b);
                Some(if rounded_up(rest) { rest + b } else { rest })
            }
        }
    }

    fn of_doubles(self, a: f64, b: f64) -> f64 {
        // The rest is exact; so the quotient is rounded only once.
        let rest = a % b;
        let rest = if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest };
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::IntegerDivide => ((a - rest) / b).round(),
            Self::Modulo => rest,
        }
    }
}

impl Number {
    fn double(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Double(number) => number,
        }
    }
}
