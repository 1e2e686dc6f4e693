use super::*;
use mspass_core::UtcTime;

fn trace() -> Trace {
    Trace {
        id: "GE.APE.00.BHZ".parse().unwrap(),
        publication: 0,
        starttime: UtcTime::from_nanos(1_254_406_898_505_123_000),
        sampling_rate: 20.0,
        samples: Samples::Float((0..50).map(|i| (i as f32 * 0.7).sin() * 1e3).collect()),
    }
}

fn assert_same(a: &Trace, b: &Trace) {
    assert_eq!(a.id, b.id);
    assert_eq!(a.sampling_rate, b.sampling_rate);
    assert_eq!(a.samples, b.samples);
    assert!((a.starttime - b.starttime).abs() < 1000, "{} {}", a.starttime, b.starttime);
}

#[test]
fn binary_and_text_round_trip() {
    let file = SacFile::from_trace(&trace()).unwrap();
    for order in [ByteOrder::Big, ByteOrder::Little] {
        let again = SacFile::read(&file.to_bytes(order)).unwrap();
        assert_same(&again.to_trace(), &trace());
    }
    let again = SacFile::read(file.to_text().as_bytes()).unwrap();
    assert_same(&again.to_trace(), &trace());
    assert_eq!(detect(file.to_text().as_bytes()), Some(Format::SacText));
    assert_eq!(detect(&file.to_bytes(ByteOrder::Big)), Some(Format::Sac));
}

#[test]
fn version_seven_has_a_footer_in_double_precision() {
    let mut file = SacFile::from_trace(&trace()).unwrap();
    file.header.set_int("nvhdr", 7);
    file.header.set_float("delta", 1.0 / 3.0);
    file.header.set_float("stla", 12.345_678_901_234);
    let bytes = file.to_bytes(ByteOrder::Big);
    assert_eq!(bytes.len(), 632 + 50 * 4 + 176);
    let again = SacFile::read(&bytes).unwrap();
    assert_eq!(again.header.float("stla"), Some(12.345_678_901_234));
    assert_eq!(again.header.sampling_rate(), 3.0);
    assert!(SacFile::read(&bytes[..bytes.len() - 176]).is_err());
}

#[test]
fn lengths_are_checked() {
    let bytes = SacFile::from_trace(&trace()).unwrap().to_bytes(ByteOrder::Little);
    for wrong in [&bytes[..bytes.len() - 1], &bytes[..632], &bytes[..100], &[]] {
        assert!(SacFile::read(wrong).is_err());
        assert_eq!(read(wrong).errors.len(), 1);
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(SacFile::read(&longer).unwrap_err().to_string().contains("833 bytes"));
}

#[test]
fn undefined_values_are_none() {
    let mut header = Header::default();
    assert_eq!(header.float("stla"), None);
    assert_eq!(header.text("kstnm"), None);
    assert_eq!(header.int("nzyear"), None);
    assert_eq!(header.starttime(), UtcTime::default());
    assert!(header.set_float("stla", 3.5) && header.set_text("kevnm", "sixteen letters!"));
    assert_eq!(header.float("stla"), Some(3.5));
    assert_eq!(header.text("kevnm").as_deref(), Some("sixteen letters!"));
    assert!(!header.set_text("kstnm", "nine char") && !header.set_float("nothing", 1.0));
}

#[test]
fn days_become_dates() {
    for (days, date) in [(0, (1970, 1)), (-1, (1969, 365)), (364, (1970, 365)), (365, (1971, 1))] {
        assert_eq!(header::year_and_day(days), date);
    }
    for (days, date) in [(11_016, (2000, 60)), (14_853, (2010, 244)), (-36_525, (1869, 365))] {
        assert_eq!(header::year_and_day(days), date);
    }
    assert_eq!(header::year_and_day(17_166), (2016, 366));
}

#[test]
fn intervals_near_a_microsecond_give_a_clean_rate() {
    let rate = |delta: f32| {
        let mut header = Header::default();
        header.set_float("delta", f64::from(delta));
        header.sampling_rate()
    };
    assert_eq!(rate(f32::from_bits(0x3d23_d70b)), 25.0);
    assert_eq!(rate(0.01), 100.0);
    assert!((rate(1.0 / 3.0) - 3.0).abs() < 1e-6);
    assert_eq!(rate(0.0), 0.0);
}

#[test]
fn what_a_trace_cannot_say_is_refused() {
    let text = Trace { samples: Samples::Text(b"log".to_vec()), ..trace() };
    assert!(SacFile::from_trace(&text).is_err());
    assert!(SacFile::from_trace(&Trace { sampling_rate: 0.0, ..trace() }).is_err());
    let long = Trace { id: "GE.LONGSTATION.00.BHZ".parse().unwrap(), ..trace() };
    assert!(SacFile::from_trace(&long).is_err());
}
