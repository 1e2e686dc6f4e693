//! The response of a channel, from its element.

use mspass_core::inventory::{
    Coefficients, Decimation, Filter, Fir, Gain, ListElement, PolesZeros, Polynomial, Response,
    ResponseList, Sensitivity, Stage, Units,
};

use super::super::xml::{Element, Remarks};

pub(super) fn read(element: &Element, remarks: &mut Remarks) -> Response {
    let sensitivity = element.child("InstrumentSensitivity").map(|element| Sensitivity {
        value: element.number_of("Value", remarks),
        frequency: element.number_of("Frequency", remarks),
        input_units: units(element, "InputUnits"),
        output_units: units(element, "OutputUnits"),
    });
    let polynomial = element.child("InstrumentPolynomial").map(|element| Polynomial {
        input_units: units(element, "InputUnits"),
        output_units: units(element, "OutputUnits"),
        ..polynomial(element, remarks)
    });
    let stages = element.all("Stage").filter_map(|element| stage(element, remarks)).collect();
    Response { sensitivity, polynomial, stages }
}

fn stage(element: &Element, remarks: &mut Remarks) -> Option<Stage> {
    if element.children.is_empty() {
        remarks.note(element.offset, || "a Stage that holds nothing; left out".to_owned());
        return None;
    }
    let number = element.attribute("number").and_then(|number| number.parse().ok());
    if number.is_none() {
        remarks.note(element.offset, || "a Stage without a number; 0 assumed".to_owned());
    }
    let (body, filter) = filter(element, remarks);
    Some(Stage {
        number: number.unwrap_or(0),
        input_units: body.and_then(|body| units(body, "InputUnits")),
        output_units: body.and_then(|body| units(body, "OutputUnits")),
        filter,
        gain: element.child("StageGain").map(|element| Gain {
            value: element.number_of("Value", remarks),
            frequency: element.number_of("Frequency", remarks),
        }),
        decimation: element.child("Decimation").map(|element| Decimation {
            input_rate: element.number_of("InputSampleRate", remarks),
            factor: element.whole_of("Factor", remarks),
            offset: element.whole_of("Offset", remarks),
            delay: element.number_of("Delay", remarks),
            correction: element.number_of("Correction", remarks),
        }),
    })
}

/// The filter of a stage and the element it stands in.
fn filter<'a>(stage: &'a Element, remarks: &mut Remarks) -> (Option<&'a Element>, Filter) {
    for element in &stage.children {
        let filter = match element.name.as_str() {
            "PolesZeros" => Filter::PolesZeros(PolesZeros {
                kind: element.text_of("PzTransferFunctionType").unwrap_or_default(),
                normalization_factor: element
                    .number_of("NormalizationFactor", remarks)
                    .unwrap_or(1.0),
                normalization_frequency: element.number_of("NormalizationFrequency", remarks),
                zeros: roots(element, "Zero", remarks),
                poles: roots(element, "Pole", remarks),
            }),
            "Coefficients" => Filter::Coefficients(Coefficients {
                kind: element.text_of("CfTransferFunctionType").unwrap_or_default(),
                numerator: numbers(element, "Numerator", remarks),
                denominator: numbers(element, "Denominator", remarks),
            }),
            "FIR" => Filter::Fir(Fir {
                symmetry: element.text_of("Symmetry").unwrap_or_default(),
                coefficients: numbers(element, "NumeratorCoefficient", remarks),
            }),
            "ResponseList" => Filter::List(ResponseList {
                elements: element
                    .all("ResponseListElement")
                    .filter_map(|point| list_element(point, remarks))
                    .collect(),
            }),
            "Polynomial" => Filter::Polynomial(polynomial(element, remarks)),
            _ => continue,
        };
        return (Some(element), filter);
    }
    (None, Filter::None)
}

fn polynomial(element: &Element, remarks: &mut Remarks) -> Polynomial {
    Polynomial {
        input_units: None,
        output_units: None,
        approximation: element.text_of("ApproximationType"),
        frequency_lower: element.number_of("FrequencyLowerBound", remarks),
        frequency_upper: element.number_of("FrequencyUpperBound", remarks),
        lower: element.number_of("ApproximationLowerBound", remarks),
        upper: element.number_of("ApproximationUpperBound", remarks),
        maximum_error: element.number_of("MaximumError", remarks),
        coefficients: numbers(element, "Coefficient", remarks),
    }
}

fn list_element(element: &Element, remarks: &mut Remarks) -> Option<ListElement> {
    Some(ListElement {
        frequency: element.number_of("Frequency", remarks)?,
        amplitude: element.number_of("Amplitude", remarks)?,
        phase: element.number_of("Phase", remarks)?,
    })
}

fn roots(element: &Element, name: &str, remarks: &mut Remarks) -> Vec<(f64, f64)> {
    let mut root = |root: &Element| {
        let real = root.number_of("Real", remarks)?;
        Some((real, root.number_of("Imaginary", remarks)?))
    };
    element.all(name).filter_map(&mut root).collect()
}

fn numbers(element: &Element, name: &str, remarks: &mut Remarks) -> Vec<f64> {
    element.all(name).filter_map(|child| child.number(remarks)).collect()
}

fn units(element: &Element, name: &str) -> Option<Units> {
    let element = element.child(name)?;
    let name = element.text_of("Name")?;
    Some(Units { name, description: element.text_of("Description") })
}
