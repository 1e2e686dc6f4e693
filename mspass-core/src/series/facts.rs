//! What the fields of the objects say, under the names that documents have for it.

use crate::id::SeedId;
use crate::metadata::{Metadata, Value};
use crate::series::axis::{TimeAxis, TimeStandard};

/// The fact `name` of a datum: what its fields say where they say it, else its metadata.
pub(super) fn of(
    id: &SeedId,
    axis: &TimeAxis,
    npts: usize,
    metadata: &Metadata,
    name: &str,
) -> Option<Value> {
    Some(match name {
        "net" => id.network().into(),
        "sta" => id.station().into(),
        "loc" => id.location().into(),
        "chan" => id.channel().into(),
        "npts" => i64::try_from(npts).ok()?.into(),
        "sampling_rate" => axis.sampling_rate().value().into(),
        "delta" => axis.delta().into(),
        "starttime" => axis.start().into(),
        "endtime" => axis.span(npts)?.end.into(),
        "time_standard" => match axis.standard() {
            TimeStandard::Utc => "UTC".into(),
            TimeStandard::Relative { .. } => "Relative".into(),
        },
        _ => metadata.get(name)?.clone(),
    })
}
