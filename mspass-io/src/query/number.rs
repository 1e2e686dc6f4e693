//! Numbers of four BSON types in one order, compared without rounding.

use std::cmp::Ordering;

use bson::raw::RawBsonRef;

/// Largest coefficient of a Decimal128; larger ones are not canonical and count as zero.
const COEFFICIENT_MAX: u128 = 10u128.pow(34) - 1;

/// A BSON number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Int(i64),
    Double(f64),
    Decimal(Decimal),
}

/// A decoded Decimal128.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decimal {
    NotANumber,
    Infinite { negative: bool },
    Finite { negative: bool, coefficient: u128, exponent: i32 },
}

impl Number {
    /// The number that a value is, if it is one.
    pub(crate) fn of(value: RawBsonRef<'_>) -> Option<Self> {
        match value {
            RawBsonRef::Int32(n) => Some(Self::Int(n.into())),
            RawBsonRef::Int64(n) => Some(Self::Int(n)),
            RawBsonRef::Double(x) => Some(Self::Double(x)),
            RawBsonRef::Decimal128(d) => Some(Self::Decimal(Decimal::decode(d.bytes()))),
            _ => None,
        }
    }

    pub(crate) fn is_nan(self) -> bool {
        match self {
            Self::Int(_) => false,
            Self::Double(x) => x.is_nan(),
            Self::Decimal(d) => matches!(d, Decimal::NotANumber),
        }
    }

    /// The nearest double.
    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Self::Int(n) => n as f64,
            Self::Double(x) => x,
            Self::Decimal(d) => d.to_f64(),
        }
    }

    /// Whole part as an integer, if the number is finite and it fits.
    pub(crate) fn truncate(self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(n),
            Self::Double(x) => (-TWO_POW_63..TWO_POW_63).contains(&x).then_some(x as i64),
            Self::Decimal(d) => d.truncate(),
        }
    }

    /// The number as an integer, if it is a whole one that fits.
    pub(crate) fn to_integer(self) -> Option<i64> {
        self.truncate().filter(|n| compare(self, Self::Int(*n)).is_eq())
    }

    /// The largest double that is not above the number, and whether it equals it.
    pub(crate) fn floor_f64(self) -> (f64, bool) {
        let nearest = self.to_f64();
        match compare(Self::Double(nearest), self) {
            Ordering::Equal => (nearest, true),
            Ordering::Less => (nearest, false),
            Ordering::Greater => (nearest.next_down(), false),
        }
    }

    /// The number as a decimal, where that is exact (all but doubles).
    pub(crate) fn to_decimal(self) -> Option<Decimal> {
        match self {
            Self::Int(n) => Some(Decimal::from_int(n)),
            Self::Decimal(d) => Some(d),
            Self::Double(_) => None,
        }
    }
}

const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;

/// Compares exactly; NaN equals itself and lies below every other number.
pub(crate) fn compare(a: Number, b: Number) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        (false, false) => {}
    }
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => a.cmp(&b),
        (Number::Double(a), Number::Double(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (Number::Int(a), Number::Double(b)) => compare_int_double(a, b),
        (Number::Double(a), Number::Int(b)) => compare_int_double(b, a).reverse(),
        (Number::Decimal(a), Number::Decimal(b)) => a.compare(b),
        (Number::Int(a), Number::Decimal(b)) => Decimal::from_int(a).compare(b),
        (Number::Decimal(a), Number::Int(b)) => a.compare(Decimal::from_int(b)),
        (Number::Decimal(a), Number::Double(b)) => a.compare_double(b),
        (Number::Double(a), Number::Decimal(b)) => b.compare_double(a).reverse(),
    }
}

fn compare_int_double(n: i64, x: f64) -> Ordering {
    if x >= TWO_POW_63 {
        Ordering::Less
    } else if x < -TWO_POW_63 {
        Ordering::Greater
    } else {
        let whole = x as i64;
        n.cmp(&whole).then_with(|| 0.0.partial_cmp(&x.fract()).unwrap_or(Ordering::Equal))
    }
}

impl Decimal {
    /// IEEE 754-2008 decimal128 in its binary integer encoding, little-endian.
    fn decode(bytes: [u8; 16]) -> Self {
        let bits = u128::from_le_bytes(bytes);
        let negative = bits >> 127 == 1;
        let combination = (bits >> 122) as u32 & 0b11111;
        if combination == 0b11111 {
            return Self::NotANumber;
        }
        if combination == 0b11110 {
            return Self::Infinite { negative };
        }
        let (exponent, coefficient) = if combination >> 3 == 0b11 {
            ((bits >> 111) as i32 & 0x3fff, 0)
        } else {
            ((bits >> 113) as i32 & 0x3fff, bits & ((1 << 113) - 1))
        };
        let coefficient = if coefficient > COEFFICIENT_MAX { 0 } else { coefficient };
        Self::Finite { negative, coefficient, exponent: exponent - 6176 }
    }

    fn from_int(n: i64) -> Self {
        Self::Finite { negative: n < 0, coefficient: n.unsigned_abs().into(), exponent: 0 }
    }

    /// -1, 0 or 1.
    fn signum(self) -> i32 {
        match self {
            Self::NotANumber => 0,
            Self::Finite { coefficient: 0, .. } => 0,
            Self::Infinite { negative } | Self::Finite { negative, .. } => {
                1 - 2 * i32::from(negative)
            }
        }
    }

    /// Digits scaled to 38 places and the power of ten of the first digit; for non-zero finite
    /// ones.
    fn scaled(coefficient: u128, exponent: i32) -> (i32, u128) {
        let digits = coefficient.checked_ilog10().map_or(0, |n| n + 1);
        (exponent + digits as i32, coefficient * 10u128.pow(38 - digits))
    }

    fn compare(self, other: Self) -> Ordering {
        let sign = self.signum();
        let by_sign = sign.cmp(&other.signum());
        if by_sign.is_ne() || sign == 0 {
            return by_sign;
        }
        let magnitude = match (self, other) {
            (
                Self::Finite { coefficient: a, exponent: p, .. },
                Self::Finite { coefficient: b, exponent: q, .. },
            ) => Self::scaled(a, p).cmp(&Self::scaled(b, q)),
            (Self::Infinite { .. }, Self::Infinite { .. }) => Ordering::Equal,
            (Self::Infinite { .. }, _) => Ordering::Greater,
            (_, Self::Infinite { .. }) => Ordering::Less,
            _ => Ordering::Equal,
        };
        if sign < 0 { magnitude.reverse() } else { magnitude }
    }

    /// `x` is not NaN, nor is the decimal.
    fn compare_double(self, x: f64) -> Ordering {
        let nearest = self.to_f64();
        // Rounding is monotonic: where the nearest double differs from `x`, it decides. At an
        // infinity it only decides when the decimal itself is infinite.
        match nearest.partial_cmp(&x) {
            Some(Ordering::Equal) => {}
            Some(order) => return order,
            None => return Ordering::Equal,
        }
        match self {
            Self::Finite { negative, coefficient, exponent } if coefficient != 0 || x != 0.0 => {
                let order = if x.is_infinite() {
                    Ordering::Less
                } else if x == 0.0 {
                    Ordering::Greater
                } else {
                    compare_digits(coefficient, exponent, x.abs())
                };
                if negative { order.reverse() } else { order }
            }
            _ => Ordering::Equal,
        }
    }

    fn to_f64(self) -> f64 {
        match self {
            Self::NotANumber => f64::NAN,
            Self::Infinite { negative: false } => f64::INFINITY,
            Self::Infinite { negative: true } => f64::NEG_INFINITY,
            Self::Finite { negative, coefficient, exponent } => {
                let x: f64 = format!("{coefficient}e{exponent}").parse().unwrap_or(f64::NAN);
                if negative { -x } else { x }
            }
        }
    }

    fn truncate(self) -> Option<i64> {
        let Self::Finite { negative, coefficient, exponent } = self else { return None };
        let power = 10u128.checked_pow(exponent.unsigned_abs());
        let whole = match (coefficient, power) {
            (0, _) => 0,
            (_, Some(power)) if exponent >= 0 => coefficient.checked_mul(power)?,
            (_, None) if exponent >= 0 => return None,
            (_, Some(power)) => coefficient / power,
            (_, None) => 0,
        };
        let whole = i128::try_from(whole).ok()?;
        i64::try_from(if negative { -whole } else { whole }).ok()
    }

    /// Power of ten and digits without trailing zeros of a non-zero finite number's magnitude: in
    /// the order of the numbers when compared as `(power, digits)`.
    pub(crate) fn digits(self) -> Option<(i32, String)> {
        match self {
            Self::Finite { coefficient, exponent, .. } if coefficient != 0 => {
                let text = coefficient.to_string();
                let power = exponent + text.len() as i32;
                Some((power, text.trim_end_matches('0').to_owned()))
            }
            _ => None,
        }
    }
}

/// Compares `coefficient * 10^exponent` with a finite `x > 0` by all the digits of both.
fn compare_digits(coefficient: u128, exponent: i32, x: f64) -> Ordering {
    // A double has at most 767 significant decimal digits, all of which this prints.
    let text = format!("{x:.770e}");
    let Some((mantissa, power)) = text.split_once('e') else { return Ordering::Equal };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let power: i32 = power.parse::<i32>().unwrap_or(0) + 1;
    let own = Decimal::Finite { negative: false, coefficient, exponent };
    match own.digits() {
        None => Ordering::Less,
        Some((own_power, own_digits)) => own_power
            .cmp(&power)
            .then_with(|| own_digits.as_str().cmp(digits.trim_end_matches('0'))),
    }
}
