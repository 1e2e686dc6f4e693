//! StationXML and QuakeML: what is written reads back as it was, and whatever damage is done to a
//! document, reading it gives an error or an answer and never a panic.

use mspass_core::event::*;
use mspass_core::inventory::*;
use mspass_core::{Event, Inventory, UtcTime};
use mspass_io::format::{quakeml, stationxml};
use proptest::prelude::*;

/// Makes objects of bytes that a strategy drew, so that they shrink with the bytes.
struct Dice<'a>(std::slice::Iter<'a, u8>);

impl Dice<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn some<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.byte() % 2 == 1).then(|| make(self))
    }

    fn many<T>(&mut self, most: u8, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.byte() % (most + 1)).map(|_| make(self)).collect()
    }

    fn text(&mut self) -> String {
        let letters = ['a', 'Z', '0', '<', '>', '&', '"', '\'', ';', 'é', '語', ']', '-', ' '];
        let length = self.byte() % 9;
        let pick = |byte: u8| letters[usize::from(byte) % letters.len()];
        let text: String = (0..length).map(|_| pick(self.byte())).collect();
        format!("x{text}x")
    }

    fn number(&mut self) -> f64 {
        let bits = u64::from_le_bytes(std::array::from_fn(|_| self.byte()));
        let number = f64::from_bits(bits);
        if number.is_finite() { number } else { f64::from(self.byte()) / 3.0 }
    }

    fn whole(&mut self) -> i64 {
        i64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    fn time(&mut self) -> UtcTime {
        if self.byte() % 8 == 7 {
            return UtcTime::MAX;
        }
        // what ISO 8601 with four digits of year can say
        UtcTime::from_nanos(self.whole() / 2)
    }

    fn word(&mut self, words: &[&str]) -> Option<String> {
        self.some(|dice| words[usize::from(dice.byte()) % words.len()].to_owned())
    }

    fn epoch(&mut self) -> Epoch {
        Epoch { start: self.some(Self::time), end: self.some(Self::time) }
    }

    fn units(&mut self) -> Option<Units> {
        self.some(|dice| Units { name: dice.text(), description: dice.some(Self::text) })
    }

    fn polynomial(&mut self) -> Polynomial {
        Polynomial {
            approximation: self.some(Self::text),
            frequency_lower: self.some(Self::number),
            frequency_upper: self.some(Self::number),
            lower: self.some(Self::number),
            upper: self.some(Self::number),
            maximum_error: self.some(Self::number),
            coefficients: self.many(4, Self::number),
            ..Polynomial::default()
        }
    }

    fn filter(&mut self) -> Filter {
        let root = |dice: &mut Self| (dice.number(), dice.number());
        match self.byte() % 6 {
            0 => Filter::None,
            1 => Filter::PolesZeros(PolesZeros {
                kind: self.text(),
                normalization_factor: self.number(),
                normalization_frequency: self.some(Self::number),
                zeros: self.many(3, root),
                poles: self.many(3, root),
            }),
            2 => Filter::Coefficients(Coefficients {
                kind: self.text(),
                numerator: self.many(3, Self::number),
                denominator: self.many(3, Self::number),
            }),
            3 => {
                Filter::Fir(Fir { symmetry: self.text(), coefficients: self.many(5, Self::number) })
            }
            4 => Filter::List(ResponseList {
                elements: self.many(3, |dice| ListElement {
                    frequency: dice.number(),
                    amplitude: dice.number(),
                    phase: dice.number(),
                }),
            }),
            _ => Filter::Polynomial(self.polynomial()),
        }
    }

    fn stage(&mut self) -> Stage {
        let filter = self.filter();
        let bare = filter == Filter::None;
        Stage {
            number: self.whole(),
            input_units: if bare { None } else { self.units() },
            output_units: if bare { None } else { self.units() },
            filter,
            gain: Some(Gain { value: self.some(Self::number), frequency: Some(1.0) }),
            decimation: self.some(|dice| Decimation {
                input_rate: dice.some(Self::number),
                factor: dice.some(Self::whole),
                offset: dice.some(Self::whole),
                delay: dice.some(Self::number),
                correction: dice.some(Self::number),
            }),
        }
    }

    fn response(&mut self) -> Response {
        Response {
            sensitivity: self.some(|dice| Sensitivity {
                value: dice.some(Self::number),
                frequency: dice.some(Self::number),
                input_units: dice.units(),
                output_units: dice.units(),
            }),
            polynomial: self.some(|dice| Polynomial {
                input_units: dice.units(),
                output_units: dice.units(),
                ..dice.polynomial()
            }),
            stages: self.many(3, Self::stage),
        }
    }

    fn equipment(&mut self) -> Equipment {
        Equipment {
            kind: self.some(Self::text),
            description: self.some(Self::text),
            manufacturer: self.some(Self::text),
            vendor: self.some(Self::text),
            model: self.some(Self::text),
            serial_number: self.some(Self::text),
        }
    }

    fn channel(&mut self) -> Channel {
        Channel {
            code: self.text(),
            location: self.some(Self::text).unwrap_or_default(),
            epoch: self.epoch(),
            latitude: self.number(),
            longitude: self.number(),
            elevation: self.number(),
            depth: self.number(),
            azimuth: self.some(Self::number),
            dip: self.some(Self::number),
            sample_rate: self.some(Self::number),
            clock_drift: self.some(Self::number),
            types: self.many(2, Self::text),
            description: self.some(Self::text),
            restricted_status: self.some(Self::text),
            sensor: self.some(Self::equipment),
            data_logger: self.some(Self::equipment),
            response: self.some(Self::response),
        }
    }

    fn station(&mut self) -> Station {
        Station {
            code: self.text(),
            epoch: self.epoch(),
            latitude: self.number(),
            longitude: self.number(),
            elevation: self.number(),
            site: self.some(Self::text),
            description: self.some(Self::text),
            restricted_status: self.some(Self::text),
            creation_date: self.some(Self::time),
            total_channels: self.some(Self::whole),
            channels: self.many(2, Self::channel),
        }
    }

    fn inventory(&mut self) -> Inventory {
        Inventory {
            source: self.text(),
            sender: self.some(Self::text),
            created: self.some(Self::time),
            networks: self.many(2, |dice| Network {
                code: dice.text(),
                epoch: dice.epoch(),
                description: dice.some(Self::text),
                restricted_status: dice.some(Self::text),
                total_stations: dice.some(Self::whole),
                stations: dice.many(2, Self::station),
            }),
        }
    }

    fn waveform(&mut self) -> Option<WaveformId> {
        self.some(|dice| WaveformId {
            network: dice.text(),
            station: dice.text(),
            location: dice.some(Self::text),
            channel: dice.some(Self::text),
            resource: dice.some(Self::text),
        })
    }

    fn origin(&mut self) -> Origin {
        Origin {
            id: self.text(),
            time: self.some(Self::time),
            latitude: self.some(Self::number),
            longitude: self.some(Self::number),
            depth: self.some(Self::number),
            depth_kind: self.word(&["from location", "other"]),
            evaluation_mode: self.word(&["manual", "automatic"]),
            evaluation_status: self.word(&["preliminary", "final"]),
            agency: self.some(Self::text),
            author: self.some(Self::text),
            arrivals: self.many(2, |dice| Arrival {
                id: dice.some(Self::text),
                pick_id: dice.some(Self::text),
                phase: dice.text(),
                azimuth: dice.some(Self::number),
                distance: dice.some(Self::number),
                takeoff_angle: dice.some(Self::number),
                time_residual: dice.some(Self::number),
                time_weight: dice.some(Self::number),
            }),
        }
    }

    fn event(&mut self) -> Event {
        Event {
            id: self.text(),
            kind: self.word(&["earthquake", "quarry blast"]),
            kind_certainty: self.word(&["known", "suspected"]),
            descriptions: self
                .many(2, |dice| Description { text: dice.text(), kind: dice.some(Self::text) }),
            preferred_origin_id: self.some(Self::text),
            preferred_magnitude_id: self.some(Self::text),
            preferred_focal_mechanism_id: self.some(Self::text),
            origins: self.many(2, Self::origin),
            magnitudes: self.many(2, |dice| Magnitude {
                id: dice.text(),
                value: dice.some(Self::number),
                kind: dice.some(Self::text),
                origin_id: dice.some(Self::text),
                station_count: dice.some(Self::whole),
                agency: dice.some(Self::text),
                author: dice.some(Self::text),
                contributions: dice.many(2, |dice| Contribution {
                    station_magnitude_id: dice.text(),
                    weight: dice.some(Self::number),
                    residual: dice.some(Self::number),
                }),
            }),
            station_magnitudes: self.many(2, |dice| StationMagnitude {
                id: dice.text(),
                origin_id: dice.some(Self::text),
                value: dice.some(Self::number),
                kind: dice.some(Self::text),
                amplitude_id: dice.some(Self::text),
                waveform: dice.waveform(),
            }),
            amplitudes: self.many(2, |dice| Amplitude {
                id: dice.text(),
                value: dice.some(Self::number),
                kind: dice.some(Self::text),
                unit: dice.some(Self::text),
                period: dice.some(Self::number),
                pick_id: dice.some(Self::text),
                waveform: dice.waveform(),
            }),
            picks: self.many(2, |dice| Pick {
                id: dice.text(),
                time: dice.some(Self::time),
                waveform: dice.waveform(),
                uncertainty: dice.some(Self::number),
                phase_hint: dice.some(Self::text),
                onset: dice.word(&["emergent", "impulsive"]),
                polarity: dice.word(&["positive", "negative"]),
                evaluation_mode: dice.word(&["manual"]),
                evaluation_status: dice.word(&["reviewed", "rejected"]),
            }),
            focal_mechanisms: self.many(2, |dice| FocalMechanism {
                id: dice.text(),
                triggering_origin_id: dice.some(Self::text),
                nodal_planes: [(); 2].map(|()| dice.some(|dice| [(); 3].map(|()| dice.number()))),
                scalar_moment: dice.some(Self::number),
                moment_tensor: dice.some(|dice| [(); 6].map(|()| dice.number())),
                derived_origin_id: dice.some(Self::text),
            }),
        }
    }
}

static DOCUMENTS: std::sync::LazyLock<Vec<Vec<u8>>> = std::sync::LazyLock::new(fixtures);

fn fixtures() -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut documents = Vec::new();
    for kind in ["stations", "events"] {
        let mut paths: Vec<_> = std::fs::read_dir(folder.join(kind))
            .expect("a folder")
            .flatten()
            .map(|e| e.path())
            .collect();
        paths.sort();
        let xml = |path: &&std::path::PathBuf| path.extension().is_some_and(|end| end == "xml");
        documents.extend(paths.iter().filter(xml).map(|path| std::fs::read(path).expect("a file")));
    }
    assert!(documents.len() > 10);
    // the shortest, so that a damage hits something
    documents.retain(|document| document.len() < 20_000);
    documents
}

/// What may stand where a piece of a document was.
const PIECES: [&str; 12] = [
    "<",
    ">",
    "</",
    "&",
    "&#0;",
    "\"",
    "<![CDATA[",
    "<!--",
    "<Channel/>",
    "</Station>",
    "NaN",
    "\u{0}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn an_inventory_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let inventory = Dice(bytes.iter()).inventory();
        let text = stationxml::write(&inventory);
        let reading = stationxml::read(text.as_bytes()).unwrap();
        prop_assert_eq!(reading.inventory, inventory, "{}", text);
    }

    #[test]
    fn events_read_back(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let mut dice = Dice(bytes.iter());
        let events = vec![dice.event(), dice.event()];
        let text = quakeml::write(&events);
        let reading = quakeml::read(text.as_bytes()).unwrap();
        prop_assert_eq!(reading.events, events, "{}", text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damage_is_an_error_or_an_answer(
        which in any::<prop::sample::Index>(),
        damages in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..40_usize, 0..PIECES.len() + 2), 1..6),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = which.get(&DOCUMENTS).clone();
        for (at, length, piece) in damages {
            let at = at.index(bytes.len().max(1)).min(bytes.len());
            let to = (at + length).min(bytes.len());
            let replacement = match PIECES.get(piece) {
                Some(piece) => piece.as_bytes().to_vec(),
                None if piece == PIECES.len() => vec![0xFF; length % 3],
                None => bytes[at..to].repeat(2),
            };
            bytes.splice(at..to, replacement);
        }
        if cut {
            bytes.truncate(end.index(bytes.len() + 1));
        }
        for error in [stationxml::read(&bytes).err(), quakeml::read(&bytes).err()] {
            if let Some(error) = error.map(|error| error.to_string()) {
                prop_assert!(error.contains("line ") && error.contains("byte "), "{}", error);
            }
        }
    }
}
