//! Sampling rates as miniSEED 2 writes them: a factor and a multiplier of sixteen bits.

/// Largest factor or multiplier.
const LARGEST: i64 = i16::MAX as i64;

/// The pair whose rate is nearest to `rate` (Hz, above 0), and that rate.
///
/// Source: SEED Reference Manual 2.4, fixed header fields 10 and 11; negative numbers divide.
pub(super) fn factor_and_multiplier(rate: f64) -> (i16, i16, f64) {
    let mut best = (1, 1, 1.0);
    let mut consider = |factor: i64, multiplier: i64, found: f64| {
        let fits = |n: i64| n != 0 && n.abs() <= LARGEST;
        if fits(factor) && fits(multiplier) && (found - rate).abs() < (best.2 - rate).abs() {
            best = (factor as i16, multiplier as i16, found);
        }
    };
    consider(rate.round() as i64, 1, rate.round());
    let period = (1.0 / rate).round();
    consider(-(period as i64), 1, 1.0 / period);
    if rate > LARGEST as f64 {
        for multiplier in 2..=LARGEST {
            let factor = (rate / multiplier as f64).round();
            consider(factor as i64, multiplier, factor * multiplier as f64);
        }
    } else if rate < 1.0 / LARGEST as f64 {
        for multiplier in 2..=LARGEST {
            let factor = (1.0 / rate / multiplier as f64).round();
            consider(-(factor as i64), -multiplier, 1.0 / factor / multiplier as f64);
        }
    } else {
        convergents(rate, |numerator, denominator| {
            consider(numerator, -denominator, numerator as f64 / denominator as f64);
        });
    }
    best
}

/// Calls `each` with the continued-fraction convergents of `value` whose terms fit.
fn convergents(value: f64, mut each: impl FnMut(i64, i64)) {
    let (mut numerator, mut denominator) = ((1i64, 0i64), (0i64, 1i64));
    let mut rest = value;
    for _ in 0..40 {
        let whole = rest.floor();
        if whole > LARGEST as f64 {
            break;
        }
        let term = whole as i64;
        numerator = (term * numerator.0 + numerator.1, numerator.0);
        denominator = (term * denominator.0 + denominator.1, denominator.0);
        if numerator.0 > LARGEST || denominator.0 > LARGEST {
            break;
        }
        each(numerator.0, denominator.0);
        let fraction = rest - whole;
        if fraction <= 0.0 {
            break;
        }
        rest = 1.0 / fraction;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_rates_are_exact() {
        let exact = [
            (100.0, (100, 1)),
            (0.1, (-10, 1)),
            (12.5, (25, -2)),
            (1.0, (1, 1)),
            (1000.0 / 3.0, (1000, -3)),
            (40_000.0, (20_000, 2)),
        ];
        for (rate, pair) in exact {
            let (factor, multiplier, found) = factor_and_multiplier(rate);
            assert_eq!((factor, multiplier), pair);
            assert!((found - rate).abs() <= 1e-15 * rate);
        }
    }

    #[test]
    fn other_rates_are_near() {
        for rate in [99.999_873, 0.017_3, 31_415.926_5, 1e5 / 3.0, 1e-6, 0.333_4, 8.333_1] {
            let (factor, multiplier, found) = factor_and_multiplier(rate);
            assert!((found / rate - 1.0).abs() < 1e-4, "{rate}: {factor} {multiplier} {found}");
        }
    }
}
