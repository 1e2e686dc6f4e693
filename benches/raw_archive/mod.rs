//! A folder of raw data to work on: hours of three channels at 100 Hz, as a data centre delivers
//! them, Steim-2 in records of 512 bytes.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use mspass_core::UtcTime;
use mspass_io::format::mseed::{self, WriteOptions};
use mspass_io::format::{Samples, Trace};

use super::signal;

/// Samples of one channel in one file.
pub(crate) const CHANNEL_NPTS: usize = 360_000;
/// Channels in one file.
pub(crate) const CHANNELS: [&str; 3] = ["HHE", "HHN", "HHZ"];

/// Writes one file a station into `folder`. Each starts at its own time within a minute of noon, so
/// that cutting at the hours gives pieces of many lengths.
pub(crate) fn write(folder: &Path, stations: usize, seed: u64) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for station in 0..stations {
        let path = folder.join(format!("XX.S{station:03}.2024.017.12.mseed"));
        write_file(&path, station, seed).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn write_file(path: &Path, station: usize, seed: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut file = BufWriter::new(File::create(path)?);
    let options = WriteOptions { record_length: 512, ..WriteOptions::default() };
    let noon = 1_705_492_800_000_000_000_i64;
    for (number, channel) in CHANNELS.iter().enumerate() {
        let draw = seed.wrapping_mul(1000).wrapping_add((station * CHANNELS.len() + number) as u64);
        let trace = Trace {
            id: format!("XX.S{station:03}.00.{channel}").parse()?,
            publication: 2,
            starttime: UtcTime::from_nanos(noon + 770_000_000 * (station % 77) as i64),
            sampling_rate: signal::SAMPLING_RATE,
            samples: Samples::Int(signal::counts(CHANNEL_NPTS, draw)),
        };
        mseed::write((&trace).into(), &options, &mut file)?;
    }
    Ok(file.flush()?)
}
