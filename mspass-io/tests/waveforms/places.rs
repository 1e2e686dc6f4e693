//! Each place and form of samples, with both kinds of data: what is saved is what is read.

use std::path::Path;

use bson::doc;
use mspass_core::series::{Ensemble, Seismogram};
use mspass_core::{Life, TimeSeries};
use mspass_io::db::{FileForm, Outcome, ReadOptions, SaveOptions, Storage, Waveform, Waveforms};
use mspass_io::store::Find;

use crate::stores::{all, over_stores, saved, seismogram, trace};

fn file(dir: &Path, dfile: Option<&str>, form: FileForm) -> SaveOptions {
    let storage = Storage::File { dir: dir.into(), dfile: dfile.map(Into::into), form };
    SaveOptions { storage, ..SaveOptions::default() }
}

fn round_trip<T: Waveform>(waveforms: &Waveforms, datum: &T, options: &SaveOptions) -> T {
    let id = saved(waveforms.save(&mut datum.clone(), options).unwrap());
    let read: T = waveforms.read(id, &ReadOptions::default()).unwrap();
    assert_eq!(read.life(), Life::Live, "{:?}", read.log());
    assert_eq!(read.samples(), datum.samples());
    assert_eq!((read.axis(), read.seed_id()), (datum.axis(), datum.seed_id()));
    read
}

#[test]
fn blobs_and_native_files_keep_every_bit() {
    over_stores(|_, waveforms, folder| {
        for options in [SaveOptions::default(), file(folder, None, FileForm::Native)] {
            let read = round_trip(waveforms, &trace(), &options);
            assert_eq!(read.metadata.get("snr"), trace().metadata.get("snr"));
            let read = round_trip(waveforms, &seismogram(), &options);
            assert_eq!(read.tmatrix(), seismogram().tmatrix());
        }
    });
}

#[test]
fn a_native_file_is_interleaved_and_a_blob_planar() {
    over_stores(|database, waveforms, folder| {
        let doubles = |bytes: &[u8]| -> Vec<f64> {
            bytes.as_chunks().0.iter().map(|double| f64::from_le_bytes(*double)).collect()
        };
        round_trip(waveforms, &seismogram(), &file(folder, Some("a"), FileForm::Native));
        let bytes = doubles(&std::fs::read(folder.join("a")).unwrap());
        assert_eq!(bytes[..6], [0.0, 100.0, 200.0, 1.0, 101.0, 201.0]);
        round_trip(waveforms, &seismogram(), &SaveOptions::default());
        let blob = database.blobs.read(database.blobs.ids().unwrap()[0]).unwrap();
        assert_eq!(doubles(&blob)[..3], [0.0, 1.0, 2.0]);
    });
}

#[test]
fn miniseed_keeps_samples_and_sac_rounds_them() {
    over_stores(|_, waveforms, folder| {
        let mut datum = trace();
        // miniSEED 2 has microseconds.
        datum.axis = mspass_core::series::TimeAxis::utc(
            mspass_core::UtcTime::from_nanos(1_283_299_200_123_456_000),
            datum.sampling_rate(),
        );
        round_trip(waveforms, &datum, &file(folder, Some("b.mseed"), FileForm::MiniSeed));
        round_trip(waveforms, &datum, &file(folder, Some("b.mseed"), FileForm::MiniSeed));
        let options = file(folder, None, FileForm::Sac);
        let id = saved(waveforms.save(&mut datum.clone(), &options).unwrap());
        let read: TimeSeries = waveforms.read(id, &ReadOptions::default()).unwrap();
        assert_eq!(read.life, Life::Live, "{:?}", read.log);
        let rounded: Vec<f64> = datum.samples.iter().map(|s| f64::from(*s as f32)).collect();
        assert_eq!(read.samples, rounded);
    });
}

#[test]
fn what_a_form_cannot_hold_is_buried_with_the_reason() {
    over_stores(|database, waveforms, folder| {
        let mut datum = seismogram();
        let options = file(folder, Some("c"), FileForm::MiniSeed);
        let outcome = waveforms.save(&mut datum, &options).unwrap();
        assert!(matches!(outcome, Outcome::Buried(_)));
        assert!(datum.log.entries()[0].message.contains("save it as binary"));
        assert_eq!(all(database, "cemetery").len(), 1);
        assert!(!folder.join("c").exists() && all(database, "wf_Seismogram").is_empty());
    });
}

#[test]
fn an_ensemble_goes_to_one_file_and_its_dead_to_the_cemetery() {
    over_stores(|database, waveforms, folder| {
        let mut ensemble: Ensemble<TimeSeries> = (0..3).map(|_| trace()).collect();
        ensemble.metadata.insert("event", "first");
        mspass_core::Datum::kill(&mut ensemble.members[1], "test", "too noisy");
        let options = file(folder, None, FileForm::Native);
        let outcomes = waveforms.save_ensemble(&mut ensemble, &options).unwrap();
        assert!(matches!(outcomes[..], [Outcome::Saved(_), Outcome::Buried(_), Outcome::Saved(_)]));
        let documents = all(database, "wf_TimeSeries");
        assert_eq!(documents[0].get("dfile"), documents[1].get("dfile"));
        let mut foffs: Vec<i32> = documents.iter().map(|d| d.get_i32("foff").unwrap()).collect();
        foffs.sort_unstable();
        assert_eq!(foffs, [0, 8000]);
        let read: Ensemble<TimeSeries> =
            waveforms.ensemble(&Find::default(), &ReadOptions::default()).unwrap();
        assert!(read.members.iter().all(|member| member.samples == trace().samples));
        assert!(read.members[0].metadata.get("event").is_some());
        let tombstone = all(database, "cemetery").remove(0);
        assert_eq!(tombstone.get_document("tombstone").unwrap().get_i32("npts").ok(), Some(1000));
    });
}

#[test]
fn a_cursor_gives_all_documents_dead_ones_among_them() {
    over_stores(|database, waveforms, _| {
        let options = SaveOptions { data_tag: Some("mine".into()), ..SaveOptions::default() };
        for _ in 0..5 {
            saved(waveforms.save(&mut trace(), &options).unwrap());
        }
        let blob = database.blobs.ids().unwrap()[2];
        database.blobs.delete(&[blob]).unwrap();
        let find = Find::default().sort(doc! { "_id": 1 });
        let lives = |options: &ReadOptions| -> Vec<Life> {
            let cursor = waveforms.cursor::<TimeSeries>(&find, options).unwrap();
            cursor.map(|datum| datum.unwrap().life).collect()
        };
        let read = lives(&ReadOptions::default().data_tag("mine"));
        assert_eq!(read.iter().filter(|life| **life == Life::Aborted).count(), 1);
        assert_eq!(read.iter().filter(|life| **life == Life::Live).count(), 4);
        assert_eq!(lives(&ReadOptions::default().data_tag("other")), [Life::Dead; 5]);
        let of_three: Seismogram = {
            let document = all(database, "wf_TimeSeries").remove(0);
            waveforms.read_document(&document, &ReadOptions::default()).unwrap()
        };
        assert_eq!(of_three.life, Life::Aborted);
        let options = ReadOptions::default().exclude(["snr"]);
        let first = waveforms.cursor::<TimeSeries>(&find, &options).unwrap().next();
        assert!(first.unwrap().unwrap().metadata.get("snr").is_none());
    });
}
