//! What is saved is changed where it changed, replaced, and deleted with all that hangs on it.

use bson::doc;
use bson::oid::ObjectId;
use mspass_core::{Life, Severity, TimeSeries};
use mspass_io::db::schema::Mode;
use mspass_io::db::{FileForm, ReadOptions, SaveOptions, Storage};

use crate::stores::{all, memory, one, over_stores, saved, trace};

#[test]
fn only_what_changed_is_updated() {
    over_stores(|database, waveforms, _| {
        let mut datum = trace();
        datum.metadata.insert("gone", 1);
        let options = SaveOptions::default();
        let id = saved(waveforms.save(&mut datum, &options).unwrap());
        // Somebody else changes a key meanwhile.
        let other = doc! { "$set": { "snr": 8.5, "theirs": 1 } };
        database.documents.update("wf_TimeSeries", &doc! { "_id": id }, &other).unwrap();
        datum.metadata.insert("mine", "new");
        datum.metadata.remove("gone");
        datum.samples.pop();
        datum.log.push("pick", Severity::Complaint, "picked twice");
        assert!(waveforms.update_metadata(&mut datum, &[], &options).unwrap());
        let document = one(database, "wf_TimeSeries");
        assert_eq!(document.get_f64("snr").ok(), Some(8.5), "not changed here");
        assert_eq!(document.get_str("mine").ok(), Some("new"));
        assert_eq!(document.get_i32("npts").ok(), Some(1000), "follows from the samples");
        assert!(!document.contains_key("gone") && document.contains_key("theirs"));
        assert_eq!(one(database, "elog").get_object_id("wf_TimeSeries_id").ok(), Some(id));
        assert!(waveforms.update_metadata(&mut datum, &["snr"], &options).unwrap());
        assert_eq!(one(database, "wf_TimeSeries").get_f64("snr").ok(), Some(7.5), "forced");
    });
}

#[test]
fn samples_are_updated_and_the_old_blob_goes() {
    over_stores(|database, waveforms, _| {
        let (mut datum, options) = (trace(), SaveOptions::default());
        let id = saved(waveforms.save(&mut datum, &options).unwrap());
        let before = database.blobs.ids().unwrap();
        datum.samples.truncate(10);
        assert!(waveforms.update_samples(&mut datum, &[], &options).unwrap());
        let read: TimeSeries = waveforms.read(id, &ReadOptions::default()).unwrap();
        assert_eq!(read.samples, trace().samples[..10]);
        assert_eq!(datum.metadata.get("nbytes"), read.metadata.get("nbytes"));
        let after = database.blobs.ids().unwrap();
        assert!(after.len() == 1 && after != before);
    });
}

#[test]
fn overwriting_keeps_the_id() {
    over_stores(|database, waveforms, _| {
        let mut datum = trace();
        let id = saved(waveforms.save(&mut datum, &SaveOptions::default()).unwrap());
        datum.scale(2.0);
        let again = SaveOptions { overwrite: true, ..SaveOptions::default() };
        assert_eq!(saved(waveforms.save(&mut datum, &again).unwrap()), id);
        let read: TimeSeries = waveforms.read(id, &ReadOptions::default()).unwrap();
        assert_eq!(read.samples, datum.samples);
        assert_eq!(database.blobs.ids().unwrap().len(), 1);
        let third = saved(waveforms.save(&mut datum, &SaveOptions::default()).unwrap());
        assert!(third != id && all(database, "wf_TimeSeries").len() == 2);
    });
}

#[test]
fn what_is_not_there_kills_the_datum_not_the_run() {
    let (database, waveforms) = memory();
    let mut datum = trace();
    assert!(!waveforms.update_metadata(&mut datum, &[], &SaveOptions::default()).unwrap());
    assert!(datum.life == Life::Dead && datum.log.entries()[0].message.contains("no _id"));
    let mut datum = trace();
    let id = saved(waveforms.save(&mut datum, &SaveOptions::default()).unwrap());
    assert!(waveforms.delete("wf_TimeSeries", id, true).unwrap());
    assert!(!waveforms.update_metadata(&mut datum, &[], &SaveOptions::default()).unwrap());
    assert!(datum.log.entries()[0].message.contains(&id.to_hex()));
    let read: TimeSeries = waveforms.read(id, &ReadOptions::default()).unwrap();
    assert_eq!(read.life, Life::Aborted);
    assert!(read.log.entries()[0].message.contains(&id.to_hex()));
    assert!(!waveforms.delete("wf_TimeSeries", ObjectId::new(), true).unwrap());
    assert!(all(&database, "wf_TimeSeries").is_empty());
}

#[test]
fn deleting_takes_all_that_hangs_on_it() {
    over_stores(|database, waveforms, folder| {
        let mut datum = trace();
        datum.log.push("test", Severity::Suspect, "odd");
        let id = saved(waveforms.save(&mut datum, &SaveOptions::default()).unwrap());
        assert!(waveforms.delete("wf_TimeSeries", id, false).unwrap());
        assert!(database.blobs.ids().unwrap().is_empty() && all(database, "elog").is_empty());

        let storage = || Storage::File {
            dir: folder.into(),
            dfile: Some("shared".into()),
            form: FileForm::Native,
        };
        let options = SaveOptions { storage: storage(), ..SaveOptions::default() };
        let ids = [(); 2].map(|()| saved(waveforms.save(&mut trace(), &options).unwrap()));
        assert!(waveforms.delete("wf_TimeSeries", ids[0], true).unwrap());
        let left: TimeSeries = waveforms.read(ids[1], &ReadOptions::default()).unwrap();
        assert_eq!(left.samples, trace().samples, "another document names the file");
        assert!(waveforms.delete("wf_TimeSeries", ids[1], true).unwrap());
        assert!(!folder.join("shared").exists());
    });
}

#[test]
fn a_mode_that_kills_writes_nothing() {
    let faults = [("calib", "large"), ("site_id", "ANMO"), ("last_packet_time", "now")];
    for mode in [Mode::Promiscuous, Mode::Cautious, Mode::Pedantic] {
        for (key, value) in faults {
            let (database, waveforms) = memory();
            let mut datum = trace();
            datum.metadata.insert(key, value);
            waveforms.save(&mut datum, &SaveOptions { mode, ..SaveOptions::default() }).unwrap();
            let (saved, dead) = (all(&database, "wf_TimeSeries"), all(&database, "cemetery"));
            match mode {
                Mode::Promiscuous => assert_eq!(saved[0].get_str(key).ok(), Some(value)),
                Mode::Cautious => {
                    assert!(!saved[0].contains_key(key));
                    assert!(one(&database, "elog").to_string().contains(key));
                }
                Mode::Pedantic => {
                    assert!(saved.is_empty() && dead.len() == 1);
                    assert!(database.blobs.ids().unwrap().is_empty(), "no orphan");
                }
            }
        }
    }
}

#[test]
fn modes_hold_when_reading_too() {
    let (_, waveforms) = memory();
    let mut datum = trace();
    let id = saved(waveforms.save(&mut datum, &SaveOptions::default()).unwrap());
    let document = waveforms.find(id).unwrap().unwrap();
    let read = |key: &str, value: bson::Bson, mode| -> TimeSeries {
        let mut document = document.clone();
        document.insert(key, value);
        waveforms.read_document(&document, &ReadOptions::default().mode(mode)).unwrap()
    };
    assert_eq!(read("npts", "1000".into(), Mode::Promiscuous).life, Life::Aborted);
    assert_eq!(read("npts", "1000".into(), Mode::Cautious).life, Life::Live);
    assert_eq!(read("npts", "1000".into(), Mode::Pedantic).life, Life::Aborted);
    assert_eq!(read("calib", "x".into(), Mode::Promiscuous).life, Life::Live);
    let cautious = read("calib", "x".into(), Mode::Cautious);
    assert!(cautious.life == Life::Live && cautious.metadata.get("calib").is_none());
    assert_eq!(read("calib", "x".into(), Mode::Pedantic).life, Life::Aborted);
}
