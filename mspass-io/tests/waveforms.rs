//! Waveforms in every store and every place that samples can be in: what is saved is read, changed
//! and deleted; what fails leaves nothing half-written.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod mongod;

#[path = "waveforms/stores.rs"]
mod stores;

#[path = "waveforms/changes.rs"]
mod changes;
#[path = "waveforms/documents.rs"]
mod documents;
#[path = "waveforms/faults.rs"]
mod faults;
#[path = "waveforms/gaps.rs"]
mod gaps;
#[path = "waveforms/objects.rs"]
mod objects;
#[path = "waveforms/places.rs"]
mod places;
