//! From ground motion to counts, stage by stage, as StationXML writes it; nothing is evaluated.

use serde::{Deserialize, Serialize};

/// The response of a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The gain of all stages together at one frequency.
    pub sensitivity: Option<Sensitivity>,
    /// The polynomial of all stages together, for channels without a frequency response.
    pub polynomial: Option<Polynomial>,
    /// The stages in the document's order, which need not be that of their numbers.
    pub stages: Vec<Stage>,
}

/// The unit of what goes in or comes out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    /// "M/S", "V", "COUNTS", ...
    pub name: String,
    /// In words.
    pub description: Option<String>,
}

/// Output units per input unit at one frequency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// Output units per input unit.
    pub value: Option<f64>,
    /// Hz.
    pub frequency: Option<f64>,
    /// What goes in.
    pub input_units: Option<Units>,
    /// What comes out.
    pub output_units: Option<Units>,
}

/// One stage; its parts are those that the document gives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Place in the chain, from 1.
    pub number: i64,
    /// What goes in, where the filter says so.
    pub input_units: Option<Units>,
    /// What comes out, where the filter says so.
    pub output_units: Option<Units>,
    /// What it does beside a gain.
    pub filter: Filter,
    /// Its gain.
    pub gain: Option<Gain>,
    /// How it changes the sampling rate.
    pub decimation: Option<Decimation>,
}

/// A gain at one frequency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// Output units per input unit.
    pub value: Option<f64>,
    /// Hz.
    pub frequency: Option<f64>,
}

/// How a stage changes the sampling rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decimation {
    /// Samples per second that go in.
    pub input_rate: Option<f64>,
    /// One sample of so many is kept.
    pub factor: Option<i64>,
    /// Which of them.
    pub offset: Option<i64>,
    /// Seconds that the filter delays.
    pub delay: Option<f64>,
    /// Seconds that the time stamps were corrected by.
    pub correction: Option<f64>,
}

/// What a stage does beside its gain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Filter {
    /// Nothing.
    #[default]
    None,
    /// Poles and zeros.
    PolesZeros(PolesZeros),
    /// Coefficients of a rational function.
    Coefficients(Coefficients),
    /// A finite impulse response.
    Fir(Fir),
    /// Amplitude and phase, frequency by frequency.
    List(ResponseList),
    /// A polynomial from output to input, without frequencies.
    Polynomial(Polynomial),
}

/// Poles and zeros.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolesZeros {
    /// "LAPLACE (RADIANS/SECOND)", "LAPLACE (HERTZ)" or "DIGITAL (Z-TRANSFORM)".
    pub kind: String,
    /// A0.
    pub normalization_factor: f64,
    /// Hz at which A0 makes the magnitude 1.
    pub normalization_frequency: Option<f64>,
    /// Real and imaginary part of each zero.
    pub zeros: Vec<(f64, f64)>,
    /// Real and imaginary part of each pole.
    pub poles: Vec<(f64, f64)>,
}

/// Coefficients of a rational function.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coefficients {
    /// "ANALOG (RADIANS/SECOND)", "ANALOG (HERTZ)" or "DIGITAL".
    pub kind: String,
    /// Of the numerator.
    pub numerator: Vec<f64>,
    /// Of the denominator.
    pub denominator: Vec<f64>,
}

/// A finite impulse response.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fir {
    /// "NONE", "EVEN" or "ODD": the second half of a symmetric one is not written.
    pub symmetry: String,
    /// The coefficients as written.
    pub coefficients: Vec<f64>,
}

/// Amplitude and phase, frequency by frequency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResponseList {
    /// The points, as written.
    pub elements: Vec<ListElement>,
}

/// One point of a response list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListElement {
    /// Hz.
    pub frequency: f64,
    /// Output units per input unit.
    pub amplitude: f64,
    /// Degrees.
    pub phase: f64,
}

/// A polynomial from output to input units.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Polynomial {
    /// What goes in; of a stage, [`Stage::input_units`] holds it.
    pub input_units: Option<Units>,
    /// What comes out; of a stage, [`Stage::output_units`] holds it.
    pub output_units: Option<Units>,
    /// "MACLAURIN".
    pub approximation: Option<String>,
    /// Hz from which on it holds.
    pub frequency_lower: Option<f64>,
    /// Hz up to which it holds.
    pub frequency_upper: Option<f64>,
    /// Output from which on it holds.
    pub lower: Option<f64>,
    /// Output up to which it holds.
    pub upper: Option<f64>,
    /// Largest error.
    pub maximum_error: Option<f64>,
    /// The coefficients in the document's order.
    pub coefficients: Vec<f64>,
}

impl Response {
    /// Input and output units of every stage, those that are not written taken from the sensitivity
    /// (what goes into the first), else from the stage before or after, else, of a gain alone, from
    /// the other side.
    ///
    /// ```
    /// use mspass_core::inventory::{Response, Stage, Units};
    /// let volt = Some(Units { name: "V".into(), description: None });
    /// let first = Stage { number: 1, output_units: volt.clone(), ..Stage::default() };
    /// let second = Stage { number: 2, ..Stage::default() };
    /// let response = Response { stages: vec![first, second], ..Response::default() };
    /// assert_eq!(response.stage_units()[1].0, Some("V"));
    /// ```
    pub fn stage_units(&self) -> Vec<(Option<&str>, Option<&str>)> {
        fn name(units: &Option<Units>) -> Option<&str> {
            units.as_ref().map(|units| units.name.as_str())
        }
        let mut units: Vec<_> = self
            .stages
            .iter()
            .map(|stage| (name(&stage.input_units), name(&stage.output_units)))
            .collect();
        if let Some(first) = units.first_mut() {
            let whole = self.sensitivity.as_ref().and_then(|whole| name(&whole.input_units));
            first.0 = first.0.or(whole);
        }
        for at in 1..units.len() {
            units[at].0 = units[at].0.or(units[at - 1].1);
        }
        let mut next = None;
        for (unit, stage) in units.iter_mut().zip(&self.stages).rev() {
            unit.1 = unit.1.or(next);
            // a gain alone changes no unit
            if stage.filter == Filter::None {
                unit.0 = unit.0.or(unit.1);
            }
            next = unit.0;
        }
        units
    }
}
