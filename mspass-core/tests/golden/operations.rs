//! The operations of the golden cases, by the kernels.

use std::collections::BTreeSet;

use mspass_core::kernel::interpolate::Grid;
use mspass_core::kernel::taper::{Shape, Side};
use mspass_core::kernel::{
    Scratch, Sos, calculus, correlate, decimate, detrend, envelope, filter, interpolate, resample,
    rotate, taper, trigger,
};
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
    p: &mut Parameters<'_>,
    mut inputs: Arrays,
) -> Option<Result<Arrays, String>> {
    let found = match op {
        "rotate_ne_rt" | "rotate_zne_lqt" | "rotate_to_zne" => rotate(op, p, inputs),
        "trigger_onset" => triggered(p, inputs),
        "correlate" => correlated(p, inputs),
        _ => {
            let x = inputs.remove("x").unwrap_or_default();
            condition(op, p, x)?.map(|x| Arrays::from([("x".to_owned(), x)]))
        }
    };
    Some(found)
}

/// ObsPy's correlation of two traces.
fn correlated(p: &mut Parameters<'_>, mut inputs: Arrays) -> Result<Arrays, String> {
    let (max_lag, demean) = (p.count("shift")?, p.flag("demean")?);
    let normalize = p.value("normalize")?.as_str() == Some("naive");
    let mut input = |name: &str| {
        let x = inputs.remove(name).ok_or_else(|| format!("no input {name}"))?;
        Ok::<_, String>(if demean { changed(x, detrend::demean) } else { x })
    };
    let (a, b, mut out, mut scratch) = (input("a")?, input("b")?, Vec::new(), Scratch::new());
    correlate::cross_correlate(&a, &b, max_lag, normalize, &mut out, &mut scratch)
        .map_err(|error| error.to_string())?;
    Ok(Arrays::from([("x".to_owned(), out)]))
}

/// Operations of one trace.
fn condition(op: &str, p: &mut Parameters<'_>, x: Vec<f64>) -> Option<Result<Vec<f64>, String>> {
    Some(match op {
        "demean" => Ok(changed(x, detrend::demean)),
        "detrend_linear" => Ok(changed(x, detrend::linear)),
        "detrend_simple" => Ok(changed(x, detrend::simple)),
        "detrend_polynomial" => {
            p.count("order").and_then(|order| apply(x, |x| detrend::polynomial(x, order)))
        }
        "taper_cosine" => cosine_taper(p),
        "taper" => window_taper(p, x),
        "butterworth_sos" => design("bandpass", p).map(product),
        "sosfiltfilt" => {
            design("bandpass", p).and_then(|sos| apply(x, |x| sos.filter_zerophase_padded(x)))
        }
        "butterworth_bandpass" => butterworth("bandpass", p, x),
        "butterworth_bandstop" => butterworth("bandstop", p, x),
        "butterworth_lowpass" => butterworth("lowpass", p, x),
        "butterworth_highpass" => butterworth("highpass", p, x),
        "resample_fft" => resampled(p, x),
        "resample_fft_hann" => resampled_hann(p, x),
        "decimate_obspy" => decimated(p, x),
        "decimate_fir" => decimated_fir(p, x),
        "interpolate" => interpolated(p, x),
        "differentiate" => rate(p).and_then(|r| apply(x, |x| calculus::differentiate(x, 1.0 / r))),
        "integrate" => rate(p).and_then(|r| apply(x, |x| calculus::integrate(x, 1.0 / r))),
        "classic_sta_lta" | "recursive_sta_lta" | "delayed_sta_lta" => averaged(op, p, x),
        "z_detect" => {
            p.count("nsta").and_then(|n| apply(x, |x| trigger::z_detect(x, n, &mut Vec::new())))
        }
        "envelope" => {
            Ok(changed(x, |x| envelope::envelope(x, &mut Vec::new(), &mut Scratch::new())))
        }
        "analytic_signal_imag" => Ok(changed(x, |x| envelope::hilbert(x, &mut Scratch::new()))),
        _ => return None,
    })
}

/// Runs a kernel that works in place and takes any data.
fn changed(mut x: Vec<f64>, kernel: impl FnOnce(&mut [f64])) -> Vec<f64> {
    kernel(&mut x);
    x
}

/// Runs a kernel that works in place.
fn apply(
    mut x: Vec<f64>,
    kernel: impl FnOnce(&mut Vec<f64>) -> mspass_core::Result<()>,
) -> Result<Vec<f64>, String> {
    kernel(&mut x).map_err(|e| e.to_string())?;
    Ok(x)
}

fn rate(p: &mut Parameters<'_>) -> Result<f64, String> {
    p.number("sampling_rate")
}

fn cosine_taper(p: &mut Parameters<'_>) -> Result<Vec<f64>, String> {
    let (npts, fraction) = (p.count("npts")?, p.number("fraction_total")?);
    apply(vec![1.0; npts], |x| taper::cosine(x, fraction))
}

fn window_taper(p: &mut Parameters<'_>, x: Vec<f64>) -> Result<Vec<f64>, String> {
    let shape = match p.word("type")? {
        "hann" => Shape::Hann,
        "hamming" => Shape::Hamming,
        "blackman" => Shape::Blackman,
        "triang" => Shape::Triangle,
        other => return Err(format!("no taper {other}")),
    };
    let fraction = p.number("max_percentage")?;
    apply(x, |x| {
        let ramp = taper::ramp_npts(x.len(), fraction)?;
        taper::ends(x, ramp, shape, Side::Both);
        Ok(())
    })
}

fn butterworth(kind: &str, p: &mut Parameters<'_>, x: Vec<f64>) -> Result<Vec<f64>, String> {
    let (sos, zerophase) = (design(kind, p)?, p.flag("zerophase")?);
    Ok(changed(x, |x| if zerophase { sos.filter_zerophase(x) } else { sos.filter(x) }))
}

fn resampled(p: &mut Parameters<'_>, x: Vec<f64>) -> Result<Vec<f64>, String> {
    let npts = (x.len() as f64 * p.number("target")? / rate(p)?).round_ties_even();
    apply(x, |x| resample::fft(x, npts as usize, &mut Scratch::new()))
}

fn resampled_hann(p: &mut Parameters<'_>, x: Vec<f64>) -> Result<Vec<f64>, String> {
    let factor = rate(p)? / p.number("target")?;
    apply(x, |x| resample::fft_hann(x, factor, &mut Scratch::new()))
}

fn decimated(p: &mut Parameters<'_>, x: Vec<f64>) -> Result<Vec<f64>, String> {
    let (rate, factor) = (rate(p)?, p.count("factor")?);
    apply(x, |x| {
        filter::chebyshev2_lowpass(12, rate / 2.0 / factor as f64, rate)?.filter(x);
        decimate::keep_every(x, factor)
    })
}

fn decimated_fir(p: &mut Parameters<'_>, x: Vec<f64>) -> Result<Vec<f64>, String> {
    let (_, factor) = (rate(p)?, p.count("factor")?);
    let decimator = decimate::FirDecimator::new(factor).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    decimator.apply(&x, &mut out);
    Ok(out)
}

fn interpolated(p: &mut Parameters<'_>, x: Vec<f64>) -> Result<Vec<f64>, String> {
    let rate = rate(p)?;
    let start = p.number("start_offset_s")? * rate;
    let grid = Grid { start, step: rate / p.number("target")? };
    let mut out = vec![0.0; p.count("npts")?];
    let done = match p.word("method")? {
        "linear" => interpolate::linear(&x, grid, &mut out),
        "cubic" => interpolate::cubic(&x, grid, &mut out, &mut Scratch::new()),
        "weighted_average_slopes" => interpolate::weighted_average_slopes(&x, grid, &mut out),
        "lanczos" => interpolate::lanczos(&x, grid, p.count("a")?, &mut out),
        other => return Err(format!("no interpolation {other}")),
    };
    done.map(|()| out).map_err(|e| e.to_string())
}

fn averaged(op: &str, p: &mut Parameters<'_>, x: Vec<f64>) -> Result<Vec<f64>, String> {
    let (nsta, nlta) = (p.count("nsta")?, p.count("nlta")?);
    apply(x, |x| match op {
        "classic_sta_lta" => trigger::classic_sta_lta(x, nsta, nlta, &mut Vec::new()),
        "recursive_sta_lta" => trigger::recursive_sta_lta(x, nsta, nlta),
        _ => trigger::delayed_sta_lta(x, nsta, nlta, &mut Vec::new()),
    })
}

fn triggered(p: &mut Parameters<'_>, mut inputs: Arrays) -> Result<Arrays, String> {
    let cft = inputs.remove("cft").ok_or("no cft")?;
    let found = trigger::onsets(&cft, p.number("on")?, p.number("off")?);
    let found = found.map_err(|e| e.to_string())?;
    let rows = found.iter().flat_map(|range| [*range.start() as f64, *range.end() as f64]);
    Ok(Arrays::from([("x".to_owned(), rows.collect())]))
}

fn rotate(op: &str, p: &mut Parameters<'_>, mut inputs: Arrays) -> Result<Arrays, String> {
    let mut take = |name: &str| inputs.remove(name).ok_or(format!("no component {name}"));
    let name = |names: [&str; 3], [a, b, c]: [Vec<f64>; 3]| {
        Arrays::from([(names[0].into(), a), (names[1].into(), b), (names[2].into(), c)])
    };
    let (done, outputs) = match op {
        "rotate_ne_rt" => {
            let (mut n, mut e) = (take("n")?, take("e")?);
            let done = rotate::ne_to_rt(&mut n, &mut e, p.number("back_azimuth")?);
            (done, Arrays::from([("r".into(), n), ("t".into(), e)]))
        }
        "rotate_zne_lqt" => {
            let (mut z, mut n, mut e) = (take("z")?, take("n")?, take("e")?);
            let (back_azimuth, incidence) = (p.number("back_azimuth")?, p.number("inclination")?);
            let done = rotate::zne_to_lqt([&mut z, &mut n, &mut e], back_azimuth, incidence);
            (done, name(["l", "q", "t"], [z, n, e]))
        }
        _ => {
            let (mut u, mut v, mut w) = (take("u")?, take("v")?, take("w")?);
            let axes: [(f64, f64); 3] = serde_json::from_value(p.value("azimuth_dip")?.clone())
                .map_err(|e| format!("azimuth_dip: {e}"))?;
            let done = rotate::to_zne([&mut u, &mut v, &mut w], axes);
            (done, name(["z", "n", "e"], [u, v, w]))
        }
    };
    done.map(|()| outputs).map_err(|e| e.to_string())
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
