//! Numbers as people read them.

use mspass_core::UtcTime;

/// A count with thousands separators: `8,640,000`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with a noun: `1 datum`, `2 data`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Three or so digits and a decimal prefix: `8.64 M`, `950`.
pub(crate) fn short(number: f64) -> String {
    if !number.is_finite() {
        return "?".to_owned();
    }
    let prefixes = [(1e15, " P"), (1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")];
    let found = prefixes.into_iter().find(|prefix| number.abs() >= prefix.0 * 0.9995);
    match found {
        Some((size, prefix)) => format!("{}{prefix}", three_digits(number / size)),
        None if number.fract() == 0.0 => format!("{number:.0}"),
        None => three_digits(number),
    }
}

fn three_digits(number: f64) -> String {
    match number.abs() {
        size if size >= 99.95 => format!("{number:.0}"),
        size if size >= 9.995 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// Bytes with a decimal prefix: `105 MB`.
pub(crate) fn bytes(number: u64) -> String {
    let text = short(number as f64);
    if text.contains(' ') { format!("{text}B") } else { format!("{text} B") }
}

/// A duration: `0.42 s`, `12.3 s`, `2 min 05 s`, `1 h 03 min`, `3 d 04 h`.
pub(crate) fn duration(seconds: f64) -> String {
    if !(seconds.is_finite() && seconds >= 0.0) {
        return "?".to_owned();
    }
    if seconds < 59.95 {
        return format!("{} s", three_digits(seconds));
    }
    let whole = seconds.round() as u64;
    if whole < 3600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else if whole < 86_400 {
        format!("{} h {:02} min", whole / 3600, whole / 60 % 60)
    } else {
        format!("{} d {:02} h", count(whole / 86_400), whole / 3600 % 24)
    }
}

/// An instant to the second: `2010-09-01 07:00:00 UTC`; fractions of a second only where there are
/// some, to the microsecond.
pub(crate) fn instant(time: UtcTime) -> String {
    let text = time.to_string();
    let Some((date, clock)) = text.split_once('T') else { return text };
    let clock = clock.trim_end_matches('Z');
    let clock: String = clock.chars().take("07:00:00.000000".len()).collect();
    format!("{date} {clock} UTC")
}

/// A sampling rate: `100 Hz`, `0.1 Hz`.
pub(crate) fn rate(hertz: f64) -> String {
    if !hertz.is_finite() {
        return "? Hz".to_owned();
    }
    if !(1e-4..1e7).contains(&hertz.abs()) && hertz != 0.0 {
        return format!("{hertz:.3e} Hz");
    }
    let text = format!("{hertz:.6}");
    format!("{} Hz", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        let texts = [0, 999, 1000, 8_640_000, u64::MAX].map(count);
        assert_eq!(texts, ["0", "999", "1,000", "8,640,000", "18,446,744,073,709,551,615"]);
        assert_eq!(counted(1, "datum", "data"), "1 datum");
    }

    #[test]
    fn sizes_have_three_digits() {
        let texts = [0.0, 950.0, 999.6, 8_640_000.0, 25_920_000.0, 1e18].map(short);
        assert_eq!(texts, ["0", "950", "1.00 k", "8.64 M", "25.9 M", "1000 P"]);
        assert_eq!([0, 950, 104_857_600].map(bytes), ["0 B", "950 B", "105 MB"]);
        assert_eq!(short(f64::NAN), "?");
    }

    #[test]
    fn durations_fit_their_size() {
        let texts = [0.0, 0.417, 59.94, 59.96, 125.0, 3780.0, 273_600.0].map(duration);
        let expected =
            ["0.00 s", "0.42 s", "59.9 s", "1 min 00 s", "2 min 05 s", "1 h 03 min", "3 d 04 h"];
        assert_eq!(texts, expected);
        assert_eq!([f64::NAN, f64::INFINITY, -1.0].map(duration), ["?", "?", "?"]);
    }

    #[test]
    fn instants_read_like_text() {
        let texts = ["2010-09-01", "2010-09-01T07:00:00.5", "2010-09-01T07:00:00.123456789"]
            .map(|text| instant(text.parse().unwrap()));
        let expected = ["00:00:00 UTC", "07:00:00.5 UTC", "07:00:00.123456 UTC"]
            .map(|clock| format!("2010-09-01 {clock}"));
        assert_eq!(texts, expected);
    }

    #[test]
    fn rates_are_plain() {
        let texts = [100.0, 0.1, 99.999873, 0.0, 1e-9, 5e8, f64::NAN].map(rate);
        assert_eq!(
            texts,
            ["100 Hz", "0.1 Hz", "99.999873 Hz", "0 Hz", "1.000e-9 Hz", "5.000e8 Hz", "? Hz"]
        );
    }
}
