//! The database: traces and seismograms in every storage, time standard and state.

use std::path::Path;
use std::sync::Arc;

use bson::oid::ObjectId;
use mspass_core::history::Passage;
use mspass_core::series::{Ensemble, Seismogram, TimeAxis};
use mspass_core::{DocumentId, Hertz, History, Life, SeedId, Severity, TimeSeries, UtcTime};
use mspass_io::Result;
use mspass_io::db::collection::{ABORTIONS, CEMETERY};
use mspass_io::db::{FileForm, Outcome, SaveOptions, Storage, Waveform, Waveforms};
use mspass_io::store::Database;
use serde_json::json;

use super::entry::Entries;

/// Samples of a datum whose blob has several chunks.
const LONG: usize = 100_000;

struct Writer<'a> {
    waveforms: Waveforms,
    files: &'a Path,
    entries: Entries,
}

/// Writes all of it; what a reader should find.
pub(super) fn write(database: &Database, files: &Path) -> Result<Entries> {
    let waveforms = Waveforms::new(database);
    let mut writer = Writer { waveforms, files, entries: Entries::default() };
    writer.traces()?;
    writer.states()?;
    writer.changed()?;
    writer.ensemble()?;
    writer.seismograms()?;
    Ok(writer.entries)
}

/// `count` doubles that use all their bits, the same for the same seed.
fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..count).map(|at| next() * 1e4 + (at as f64 / 50.0).sin() * 1e5).collect()
}

fn start(seed: u64) -> UtcTime {
    UtcTime::from_nanos(1_283_299_200_123_456_000 + seed as i64 * 3_600_000_000_000)
}

fn id(chan: &str) -> SeedId {
    SeedId::new("XX", "OURS", "00", chan).expect("codes of SEED")
}

fn hertz(rate: f64) -> Hertz {
    Hertz::new(rate).expect("a rate")
}

/// A trace, the same for the same seed.
fn trace(seed: u64, npts: usize) -> TimeSeries {
    let mut trace = TimeSeries::new(id("HHZ"), start(seed), hertz(40.0), numbers(seed, npts));
    trace.metadata.insert("snr", 7.25 + seed as f64);
    trace.metadata.insert("picks", seed as i64);
    trace.metadata.insert("large", 1_i64 << 40);
    trace.metadata.insert("analyst", "M\u{fc}ller");
    trace.metadata.insert("is_good", seed.is_multiple_of(2));
    trace
}

fn seismogram(seed: u64, npts: usize) -> Seismogram {
    let axis = TimeAxis::utc(start(seed), hertz(100.0 / 3.0));
    let id = SeedId::new("XX", "OURS", "", "").expect("codes of SEED");
    let datum = Seismogram::from_planar(id, axis, numbers(seed, 3 * npts));
    let mut datum = datum.expect("three components");
    datum.metadata.insert("snr", 3.5);
    datum
}

fn tagged(tag: &str) -> SaveOptions {
    SaveOptions { data_tag: Some(tag.into()), history: true, ..SaveOptions::default() }
}

impl Writer<'_> {
    fn in_file(&self, dfile: &str, form: FileForm) -> SaveOptions {
        let (dir, dfile) = (self.files.to_owned(), Some(dfile.to_owned()));
        SaveOptions { storage: Storage::File { dir, dfile, form }, ..tagged(dfile_tag(form)) }
    }

    /// Saves a datum that lives.
    fn save<T: Waveform>(&mut self, mut datum: T, options: &SaveOptions) -> Result<ObjectId> {
        let before = datum.clone();
        let saved = self.waveforms.save(&mut datum, options)?;
        let Outcome::Saved(id) = saved else { panic!("not saved: {:?}", datum.log()) };
        self.told(id, before, options);
        Ok(id)
    }

    /// Says what a reader should find of a datum that was saved under `id`.
    fn told<T: Waveform>(&mut self, id: ObjectId, mut datum: T, options: &SaveOptions) {
        if let Some(tag) = &options.data_tag {
            datum.metadata_mut().insert("data_tag", tag.as_str());
        }
        let steps: Vec<String> = datum.history().passages.iter().map(|p| p.step.clone()).collect();
        self.entries.add(T::COLLECTION, id, &datum);
        self.entries.note("steps", json!(steps));
    }

    fn traces(&mut self) -> Result<()> {
        self.save(trace(1, 1000), &tagged("gridfs"))?;
        self.save(trace(2, LONG), &tagged("gridfs"))?;
        self.save(trace(3, 1), &tagged("gridfs"))?;
        for seed in 4..6 {
            let native = self.in_file("traces.bin", FileForm::Native);
            self.save(trace(seed, 700), &native)?;
            let records = self.in_file("traces.mseed", FileForm::MiniSeed);
            self.save(trace(seed + 2, 1500), &records)?;
            let sac = self.in_file(&format!("trace{seed}.sac"), FileForm::Sac);
            let mut single = trace(seed + 4, 900);
            single.samples.iter_mut().for_each(|sample| *sample = f64::from(*sample as f32));
            // A SAC header counts milliseconds.
            single.axis = TimeAxis::utc(UtcTime::from_seconds(1.25e9 + seed as f64), hertz(40.0));
            self.save(single, &sac)?;
        }
        Ok(())
    }

    /// Other time standards, logs, histories, gaps; and the dead.
    fn states(&mut self) -> Result<()> {
        let native = self.in_file("relative.bin", FileForm::Native);
        let mut relative = trace(11, 400);
        relative.axis.to_relative(UtcTime::from_nanos(1_283_338_800_000_001_000));
        self.save(relative.clone(), &tagged("relative"))?;
        self.save(relative, &native)?;
        let mut shot = trace(12, 300);
        shot.axis = TimeAxis::relative(-0.1, None, hertz(500.0));
        self.save(shot.clone(), &tagged("no shift"))?;
        self.save(shot, &native)?;
        let mut doubtful = trace(13, 200);
        doubtful.log.push("quality", Severity::Suspect, "amplitude is doubtful");
        doubtful.log.push("repair", Severity::Complaint, "clipped samples \u{2264} 3 repaired");
        doubtful.log.push("repair", Severity::Informational, "two passes");
        self.save(doubtful, &tagged("doubtful"))?;
        let mut processed = trace(14, 200);
        processed.history = History::of(DocumentId([7; 12]), 0);
        for (step, parameters) in [("detrend", "{}"), ("bandpass", r#"{"freqmin":0.5}"#)] {
            let passage = Passage { step: step.into(), parameters: parameters.into() };
            processed.history.record(&Arc::new(passage));
        }
        self.save(processed, &tagged("history"))?;
        let mut torn = trace(15, 600);
        torn.gaps.add(1_000_000_000, 2_000_000_000).expect("a gap");
        self.save(torn, &tagged("gaps"))?;
        self.bury(trace(16, 100), Life::Dead)?;
        self.bury(trace(17, 100), Life::Aborted)?;
        self.bury(seismogram(18, 50), Life::Dead)
    }

    fn bury<T: Waveform>(&mut self, mut datum: T, life: Life) -> Result<()> {
        datum.kill("quality", "too noisy");
        datum.set_life(life);
        let outcome = self.waveforms.save(&mut datum, &tagged("dead"))?;
        let Outcome::Buried(id) = outcome else { panic!("{life:?}, and yet {outcome:?}") };
        let collection = if life == Life::Dead { CEMETERY } else { ABORTIONS };
        self.entries.add(collection, id, &datum);
        self.entries.note("kind", json!(T::KIND));
        Ok(())
    }

    /// Saved, then changed: keys alone, samples too, and saved over.
    fn changed(&mut self) -> Result<()> {
        let options = tagged("changed");
        let overwrite = SaveOptions { overwrite: true, ..options.clone() };
        for round in 0..3 {
            let mut datum = trace(21 + round, 500);
            self.waveforms.save(&mut datum, &options)?;
            datum.metadata.insert("snr", 99.5);
            match round {
                0 => assert!(self.waveforms.update_metadata(&mut datum, &[], &options)?),
                1 => {
                    datum.samples = numbers(31, 450);
                    datum.axis = TimeAxis::utc(start(31), hertz(40.0));
                    assert!(self.waveforms.update_samples(&mut datum, &[], &options)?);
                }
                _ => {
                    datum.samples = numbers(32, 40_000);
                    let outcome = self.waveforms.save(&mut datum, &overwrite)?;
                    assert!(matches!(outcome, Outcome::Saved(_)), "{outcome:?}");
                }
            }
            let id = datum.metadata.get("_id").cloned();
            let Some(mspass_core::metadata::Value::Id(id)) = id else { panic!("{id:?}") };
            self.told(mspass_io::db::id::to_object_id(id), datum, &options);
        }
        Ok(())
    }

    fn ensemble(&mut self) -> Result<()> {
        let mut gather: Ensemble<TimeSeries> = (41..45).map(|seed| trace(seed, 250)).collect();
        gather.metadata.insert("gather", "one file");
        let options = self.in_file("gather.bin", FileForm::Native);
        let mut before = gather.clone();
        before.sync_metadata(&[]);
        let outcomes = self.waveforms.save_ensemble(&mut gather, &options)?;
        for (outcome, member) in outcomes.into_iter().zip(before.members) {
            let Outcome::Saved(id) = outcome else { panic!("{outcome:?}") };
            self.told(id, member, &options);
        }
        Ok(())
    }

    fn seismograms(&mut self) -> Result<()> {
        let (s, c) = 0.6_f64.sin_cos();
        let rotated = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]];
        let skewed = [[1.0, 0.3, 0.0], [0.0, 1.0, 0.3], [-0.2, 0.0, 1.0]];
        for seed in 51..55 {
            let mut datum = seismogram(seed, 500);
            match seed {
                52 => datum.set_tmatrix(rotated),
                53 => datum.set_tmatrix(skewed),
                54 => datum.axis.to_relative(start(seed).plus_seconds(2.5)),
                _ => datum.log.push("rotate", Severity::Suspect, "azimuth is doubtful"),
            }
            self.save(datum.clone(), &tagged("three"))?;
            let native = self.in_file("three.bin", FileForm::Native);
            self.save(datum, &native)?;
        }
        self.save(seismogram(55, LONG / 2), &tagged("long"))?;
        Ok(())
    }
}

fn dfile_tag(form: FileForm) -> &'static str {
    match form {
        FileForm::MiniSeed => "records",
        FileForm::Sac => "sac",
        _ => "native",
    }
}
