//! Orders, patterns, limits: what the contract of the stores does not show.

use std::cmp::Ordering;

use bson::raw::{RawBson, RawDocumentBuf};
use bson::{Bson, DateTime, Decimal128, Document, bson, doc, oid::ObjectId};

use super::number::{Number, compare as compare_numbers};
use super::pattern::Pattern;
use super::*;

fn raw(value: &Bson) -> RawBson {
    RawBson::try_from(value.clone()).unwrap()
}

fn key(value: &Bson) -> Vec<u8> {
    let mut key = Vec::new();
    encode_key(&mut key, raw(value).as_raw_bson_ref());
    key
}

fn decimal(text: &str) -> Bson {
    Bson::Decimal128(text.parse::<Decimal128>().unwrap())
}

fn matches(filter: Document, document: Document) -> bool {
    let document = RawDocumentBuf::try_from(&document).unwrap();
    Matcher::parse(&filter).unwrap().matches(&document)
}

/// Values in ascending order; those of one row are equal.
fn ladder() -> Vec<Vec<Bson>> {
    let two_53 = 9_007_199_254_740_992_i64;
    vec![
        vec![Bson::MinKey],
        vec![Bson::Undefined],
        vec![Bson::Null],
        vec![bson!(f64::NAN), decimal("NaN"), bson!(-f64::NAN)],
        vec![bson!(f64::NEG_INFINITY), decimal("-Infinity")],
        vec![decimal("-1E+400")],
        vec![bson!(f64::MIN)],
        vec![bson!(i64::MIN), bson!(-9_223_372_036_854_775_808.0)],
        vec![bson!(i64::MIN + 1), decimal("-9223372036854775807")],
        vec![bson!(-two_53 - 1), decimal("-9007199254740993")],
        vec![bson!(-two_53), bson!(-two_53 as f64)],
        vec![bson!(-1), bson!(-1.0), bson!(-1_i64), decimal("-1.00")],
        vec![bson!(-5e-324)],
        vec![decimal("-1E-400")],
        vec![bson!(0), bson!(-0.0), bson!(0.0), decimal("-0E+3")],
        vec![decimal("1E-400")],
        vec![bson!(5e-324)],
        vec![decimal("0.1")],
        vec![bson!(0.1)],
        vec![decimal("0.1000000000000000055511151231257828")],
        vec![bson!(1), decimal("1")],
        vec![bson!(1.5), decimal("1.50")],
        vec![bson!(two_53), bson!(two_53 as f64)],
        vec![decimal("9007199254740992.5")],
        vec![bson!(two_53 + 1), decimal("9007199254740993")],
        vec![decimal("9007199254740993.5")],
        vec![bson!(two_53 + 2), bson!((two_53 + 2) as f64)],
        vec![bson!(i64::MAX), decimal("9223372036854775807")],
        vec![bson!(9_223_372_036_854_775_808.0), decimal("9223372036854775808")],
        vec![bson!(f64::MAX)],
        vec![decimal("1E+400"), decimal("10E+399")],
        vec![bson!(f64::INFINITY), decimal("Infinity")],
    ]
}

/// The types above the numbers, in the same way.
fn upper_ladder() -> Vec<Vec<Bson>> {
    vec![
        vec![bson!("")],
        vec![bson!("\0")],
        vec![bson!("\0a")],
        vec![bson!("a"), Bson::Symbol("a".into())],
        vec![bson!("a\0")],
        vec![bson!("a\0b")],
        vec![bson!("ab")],
        vec![bson!("é")],
        vec![bson!({})],
        vec![bson!({ "b": null })],
        vec![bson!({ "a": 1 }), bson!({ "a": 1.0 })],
        vec![bson!({ "a": 1, "b": 1 })],
        vec![bson!({ "a": 2 })],
        vec![bson!({ "b": 1 })],
        vec![bson!({ "a": "x" })],
        vec![bson!([])],
        vec![bson!([null])],
        vec![bson!([1])],
        vec![bson!([1, 2])],
        vec![bson!([2])],
        vec![bson!([[]])],
        vec![Bson::Binary(bson::Binary { subtype: 0.into(), bytes: vec![] })],
        vec![Bson::Binary(bson::Binary { subtype: 0.into(), bytes: vec![9] })],
        vec![Bson::Binary(bson::Binary { subtype: 5.into(), bytes: vec![1] })],
        vec![Bson::Binary(bson::Binary { subtype: 0.into(), bytes: vec![0, 0] })],
        vec![ObjectId::from_bytes([0; 12]).into()],
        vec![ObjectId::from_bytes([255; 12]).into()],
        vec![bson!(false)],
        vec![bson!(true)],
        vec![Bson::DateTime(DateTime::MIN)],
        vec![Bson::DateTime(DateTime::from_millis(-1))],
        vec![Bson::DateTime(DateTime::from_millis(1))],
        vec![Bson::Timestamp(bson::Timestamp { time: 0, increment: 9 })],
        vec![Bson::Timestamp(bson::Timestamp { time: u32::MAX, increment: 0 })],
        vec![Bson::JavaScriptCode("f".into())],
        vec![Bson::MaxKey],
    ]
}

#[test]
fn values_and_their_keys_are_in_bson_order() {
    let ladder = [ladder(), upper_ladder()].concat();
    for (i, row) in ladder.iter().enumerate() {
        for (j, other) in ladder.iter().enumerate() {
            for (a, b) in row.iter().flat_map(|a| other.iter().map(move |b| (a, b))) {
                let found = compare(raw(a).as_raw_bson_ref(), raw(b).as_raw_bson_ref());
                assert_eq!(found, i.cmp(&j), "{a} and {b}");
                assert_eq!(key(a).cmp(&key(b)), i.cmp(&j), "keys of {a} and {b}");
                let mut inverted = (key(a), key(b));
                invert(&mut inverted.0);
                invert(&mut inverted.1);
                assert_eq!(inverted.0.cmp(&inverted.1), j.cmp(&i), "inverted {a} and {b}");
                let prefix = i != j && key(b).starts_with(&key(a));
                assert!(!prefix, "the key of {a} begins that of {b}");
            }
        }
    }
}

#[test]
fn doubles_and_decimals_compare_by_all_their_digits() {
    let number = |text: &str| Number::of(raw(&decimal(text)).as_raw_bson_ref()).unwrap();
    let table = [
        ("0.1", 0.1, Ordering::Less),
        ("0.5", 0.5, Ordering::Equal),
        ("1E+22", 1e22, Ordering::Equal),
        ("1E+23", 1e23, Ordering::Greater),
        ("5E-324", 5e-324, Ordering::Greater),
        ("-0.3", -0.3, Ordering::Less),
        ("9007199254740993", 9_007_199_254_740_992.0, Ordering::Greater),
    ];
    for (text, x, order) in table {
        assert_eq!(compare_numbers(number(text), Number::Double(x)), order, "{text}");
        assert_eq!(compare_numbers(Number::Double(x), number(text)), order.reverse(), "{text}");
    }
}

#[test]
fn patterns_mean_what_they_mean_to_the_server() {
    let table: &[(&str, &str, &str, bool)] = &[
        ("^a.c$", "", "abc", true),
        ("^a.c$", "", "abc\n", true),
        ("^a.c$", "", "abc\n\n", false),
        ("a$", "m", "a\nb", true),
        ("a$", "", "a\nb", false),
        ("a.b", "", "a\nb", false),
        ("a.b", "s", "a\nb", true),
        ("ANMO", "i", "anmo", true),
        ("É", "i", "é", true),
        ("a b # c\n", "x", "ab", true),
        ("[a b]", "x", " ", true),
        (r"^\w+$", "", "é", false),
        (r"^\W$", "", "é", true),
        (r"^\d$", "", "٣", false),
        (r"^\s$", "", "\u{a0}", false),
        (r"\bab\b", "", "x ab y", true),
        (r"a\.b", "", "axb", false),
        (r"\Qa.b\E$", "", "xa.b", true),
        ("a{", "", "a{", true),
        ("a{,2}", "", "a{,2}", true),
        ("^a{2}$", "", "aa", true),
        ("[[]", "", "[", true),
        ("[]a]", "", "]", true),
        ("[^]a]", "", "]", false),
        ("[[:alpha:]]", "", "q", true),
        ("[a&&b]", "", "&", true),
        ("[a-]", "", "-", true),
        (r"[\d-]", "", "-", true),
        (r"[\w.]+@", "", "a.b@", true),
        (r"\<", "", "<", true),
        (r"a\/b", "", "a/b", true),
        ("(?i)abc", "", "ABC", true),
        ("a+?b", "", "aab", true),
        ("", "", "", true),
    ];
    for (pattern, options, text, expected) in table {
        let compiled = Pattern::parse(pattern, options).unwrap();
        let value = bson!(*text);
        let found = compiled.accepts(raw(&value).as_raw_bson_ref());
        assert_eq!(found, *expected, "/{pattern}/{options} on {text:?}");
    }
    for refused in [r"(a)\1", "a++", "^*", "(?=a)", "(?<!a)b", "(", "[a", "a\\", "*"] {
        assert!(Pattern::parse(refused, "").is_err(), "{refused}");
    }
    assert!(Pattern::parse("a # b", "x").is_err());
    assert!(Pattern::parse(&"a".repeat(40_000), "").is_err());
    assert!(Pattern::parse("((((a{99}){99}){99}){99})", "").is_err());
}

#[test]
fn nesting_is_limited() {
    let nested = |levels: usize, operator: &str| {
        (0..levels).fold(doc! { "a": 1 }, |inner, _| match operator {
            "$not" => doc! { "a": { "$not": { "$elemMatch": inner } } },
            _ => doc! { operator: [inner] },
        })
    };
    for operator in ["$and", "$not"] {
        assert!(Matcher::parse(&nested(30, operator)).is_ok());
        assert!(Matcher::parse(&nested(1_000, operator)).is_err());
    }
    let long = vec!["a"; 1_000].join(".");
    assert!(!matches(doc! { long.as_str(): 1 }, doc! { "a": { "a": 1 } }));
    assert!(Update::parse(&doc! { "$set": { long.as_str(): 1 } }).is_err());
    assert!(Projection::parse(&doc! { long.as_str(): 1 }).is_err());
}

#[test]
fn references_are_values() {
    let reference = doc! { "$ref": "site", "$id": 1 };
    assert!(matches(doc! { "a": reference.clone() }, doc! { "a": reference }));
    assert!(Matcher::parse(&doc! { "a": { "$ref": "site" } }).is_err());
}

#[test]
fn sums_are_exact() {
    use crate::store::Aggregate;
    let sum = |values: &[Bson]| {
        let mut grouping = Grouping::new(&[], &[("s", Aggregate::Sum, "v")]).unwrap();
        for value in values {
            let document = doc! { "v": value.clone() };
            grouping.add(&RawDocumentBuf::try_from(&document).unwrap()).unwrap();
        }
        grouping.finish().pop().unwrap().remove("s").unwrap()
    };
    assert_eq!(sum(&[bson!(i32::MAX), bson!(1)]), bson!(2_147_483_648_i64));
    assert_eq!(sum(&[bson!(i64::MAX), bson!(1)]), bson!(9_223_372_036_854_775_808.0));
    assert_eq!(sum(&[bson!(1_i64), bson!(1)]), bson!(2_i64));
    assert_eq!(sum(&[bson!(1e100), bson!(1.0), bson!(-1e100)]), bson!(1.0));
    assert_eq!(sum(&vec![bson!(0.1); 10]), bson!(1.0));
    assert_eq!(sum(&[bson!("x"), bson!([1])]), bson!(0));
}

#[test]
fn damaged_documents_do_not_panic() {
    let whole = doc! { "a": [1, { "b": "text" }], "s": "x", "d": decimal("1.5") };
    let bytes = RawDocumentBuf::try_from(&whole).unwrap().into_bytes();
    let matcher = Matcher::parse(&doc! { "a.b": "text", "s": "y", "d": { "$gt": 1 } }).unwrap();
    let sort = Sort::parse(&doc! { "a.b": 1, "d": -1 }).unwrap();
    let projection = Projection::parse(&doc! { "a.b": 1 }).unwrap();
    for place in 4..bytes.len() - 1 {
        for change in [1, 7, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[place] ^= change;
            let Ok(document) = bson::raw::RawDocument::from_bytes(&damaged) else { continue };
            matcher.matches(document);
            let _ = sort.key(document);
            let _ = projection.apply(document);
            encode_key(&mut Vec::new(), bson::raw::RawBsonRef::Document(document));
        }
    }
}
