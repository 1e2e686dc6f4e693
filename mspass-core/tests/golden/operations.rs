//! The operations of the golden cases, by the kernels.

use std::collections::BTreeSet;

use mspass_core::kernel::taper::{Shape, Side};
use mspass_core::kernel::{Scratch, Sos, detrend, filter, resample, taper};
use serde_json::Value;

use super::Arrays;

/// The parameters of a case; remembers which were read.
pub(crate) struct Parameters<'a> {
    all: &'a Value,
    read: BTreeSet<&'static str>,
}

impl<'a> Parameters<'a> {
    pub(crate) fn new(all: &'a Value) -> Self {
        Self { all, read: BTreeSet::new() }
    }

    fn value(&mut self, name: &'static str) -> Result<&'a Value, String> {
        self.read.insert(name);
        self.all.get(name).ok_or_else(|| format!("no parameter {name}"))
    }

    fn number(&mut self, name: &'static str) -> Result<f64, String> {
        self.value(name)?.as_f64().ok_or_else(|| format!("{name} is not a number"))
    }

    fn count(&mut self, name: &'static str) -> Result<usize, String> {
        let count = self.value(name)?.as_u64().and_then(|count| usize::try_from(count).ok());
        count.ok_or_else(|| format!("{name} is not a count"))
    }

    fn flag(&mut self, name: &'static str) -> Result<bool, String> {
        self.value(name)?.as_bool().ok_or_else(|| format!("{name} is not true or false"))
    }

    fn word(&mut self, name: &'static str) -> Result<&'a str, String> {
        self.value(name)?.as_str().ok_or_else(|| format!("{name} is not a word"))
    }

    /// Parameters that no one asked for.
    pub(crate) fn unread(&self) -> Vec<&'a str> {
        let names = self.all.as_object().into_iter().flat_map(|all| all.keys());
        names.map(String::as_str).filter(|name| !self.read.contains(name)).collect()
    }
}

/// The outputs of an operation; nothing when it does not exist here.
pub(crate) fn run(
    op: &str,
    parameters: &mut Parameters<'_>,
    inputs: Arrays,
) -> Option<Result<Arrays, String>> {
    if !op.starts_with("butterworth_") && !IN_PLACE.contains(&op) {
        return None;
    }
    Some(in_place(op, parameters, inputs))
}

const IN_PLACE: [&str; 8] = [
    "demean",
    "detrend_linear",
    "detrend_simple",
    "detrend_polynomial",
    "taper_cosine",
    "taper",
    "sosfiltfilt",
    "resample_fft",
];

fn in_place(op: &str, p: &mut Parameters<'_>, mut inputs: Arrays) -> Result<Arrays, String> {
    let mut x = inputs.remove("x").unwrap_or_default();
    let mut scratch = Scratch::new();
    let message = |e: mspass_core::Error| e.to_string();
    match op {
        "demean" => detrend::demean(&mut x),
        "detrend_linear" => detrend::linear(&mut x),
        "detrend_simple" => detrend::simple(&mut x),
        "detrend_polynomial" => {
            detrend::polynomial(&mut x, p.count("order")?).map_err(message)?;
        }
        "taper_cosine" => {
            x = vec![1.0; p.count("npts")?];
            taper::cosine(&mut x, p.number("fraction_total")?).map_err(message)?;
        }
        "taper" => {
            let shape = match p.word("type")? {
                "hann" => Shape::Hann,
                "hamming" => Shape::Hamming,
                "blackman" => Shape::Blackman,
                "triang" => Shape::Triangle,
                other => return Err(format!("no taper {other}")),
            };
            let ramp = taper::ramp_npts(x.len(), p.number("max_percentage")?).map_err(message)?;
            taper::ends(&mut x, ramp, shape, Side::Both);
        }
        "sosfiltfilt" => {
            design("bandpass", p)?.filter_zerophase_padded(&mut x).map_err(message)?;
        }
        "butterworth_sos" => x = product(design("bandpass", p)?),
        "resample_fft" => {
            let npts = x.len() as f64 * p.number("target")? / p.number("sampling_rate")?;
            resample::fft(&mut x, npts.round_ties_even() as usize, &mut scratch)
                .map_err(message)?;
        }
        _ => {
            let kind = op.strip_prefix("butterworth_").ok_or("not an operation")?;
            let sos = design(kind, p)?;
            if p.flag("zerophase")? { sos.filter_zerophase(&mut x) } else { sos.filter(&mut x) }
        }
    }
    Ok(Arrays::from([("x".to_owned(), x)]))
}

fn design(kind: &str, p: &mut Parameters<'_>) -> Result<Sos, String> {
    let (corners, rate) = (p.count("corners")?, p.number("sampling_rate")?);
    let sos = match kind {
        "lowpass" => filter::butterworth_lowpass(corners, p.number("freq")?, rate),
        "highpass" => filter::butterworth_highpass(corners, p.number("freq")?, rate),
        "bandpass" => {
            filter::butterworth_bandpass(corners, p.number("freqmin")?, p.number("freqmax")?, rate)
        }
        "bandstop" => {
            filter::butterworth_bandstop(corners, p.number("freqmin")?, p.number("freqmax")?, rate)
        }
        other => return Err(format!("no filter {other}")),
    };
    sos.map_err(|e| e.to_string())
}

/// Brings an expected output to the form in which it is compared.
pub(crate) fn comparable(op: &str, mut expected: Arrays) -> Arrays {
    if op == "butterworth_sos"
        && let Some(rows) = expected.get_mut("x")
    {
        let (sections, _) = rows.as_chunks::<6>();
        *rows = multiply(sections.iter().copied());
    }
    expected
}

fn product(sos: Sos) -> Vec<f64> {
    multiply(sos.sections().iter().map(|s| [s.b[0], s.b[1], s.b[2], 1.0, s.a[0], s.a[1]]))
}

/// Numerator and denominator of a product of sections.
fn multiply(sections: impl Iterator<Item = [f64; 6]>) -> Vec<f64> {
    let mut product = [vec![1.0], vec![1.0]];
    for section in sections {
        for (polynomial, factor) in product.iter_mut().zip(section.chunks(3)) {
            let mut longer = vec![0.0; polynomial.len() + 2];
            for (i, p) in polynomial.iter().enumerate() {
                for (j, f) in factor.iter().enumerate() {
                    longer[i + j] += p * f;
                }
            }
            *polynomial = longer;
        }
    }
    product.concat()
}
