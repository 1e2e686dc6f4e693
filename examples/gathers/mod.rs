//! The workflow of the example `event_gathers`: traces of events become aligned gathers and stacks.

mod arrivals;

use mspass::actors::Result;
use mspass::core::series::Seismogram;
use mspass::process::{
    Bundle, Interpolate, Interpolation, Origin, Rotate, Scale, Stack, ToRelative, Window,
};
use mspass::{Pipeline, Save, SeedId, TimeSeries, Workflow};
use serde::{Deserialize, Serialize};

pub(crate) use arrivals::{Arrival, JoinArrivals};

/// Tag of the aligned components, one of each event and direction.
pub(crate) const GATHER: &str = "gather";
/// Tag of the stacks, one of each station and direction.
pub(crate) const STACK: &str = "stack";

/// The directions after rotation: away from the event, left of it, up.
const DIRECTIONS: [char; 3] = ['R', 'T', 'Z'];
/// The first motion is looked for from the arrival on so long, seconds.
const FIRST_MOTION_SECONDS: f64 = 3.0;

/// What the gathers span.
#[derive(Clone, Debug, clap::Args, Serialize, Deserialize)]
pub(crate) struct Gathers {
    /// Seconds kept before the arrival
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub(crate) before: f64,

    /// Seconds kept after it; an event whose record ends earlier dies
    #[arg(long, value_name = "SECONDS", default_value_t = 16.0)]
    pub(crate) after: f64,

    /// Sampling rate of the gathers, Hz; the arrival lies on a sample
    #[arg(long, value_name = "HZ", default_value_t = 10.0)]
    pub(crate) sampling_rate: f64,
}

impl Gathers {
    /// From traces of single components to stacks.
    pub(crate) fn build(
        &self,
        traces: Pipeline<TimeSeries>,
        arrivals: JoinArrivals,
    ) -> Result<Workflow> {
        let (sampling_rate, method) = (self.sampling_rate, Interpolation::Cubic);
        traces
            .map(arrivals)
            .group_by(&["net", "sta", "loc", "arrival_event"])
            .map(Bundle)
            .map(Rotate::to_rtz("arrival_seaz"))
            .map(ToRelative { origin: Origin::Key("arrival_time".into()) })
            .map(Interpolate { sampling_rate, method, aligned: true })
            .map(Window::relative(-self.before, self.after))
            .map(Scale::peak())
            .try_map("first motion up", first_motion_up)
            .flat_map("directions", directions)
            .tee(&Save::new().data_tag(GATHER))
            .group_by(&["net", "sta", "loc", "chan"])
            .fold(Stack::mean())
            .save(Save::new().data_tag(STACK))
    }
}

/// Turns the signs of all components where the strongest vertical motion after the arrival is
/// downward: events of either sign then add up.
fn first_motion_up(mut seismogram: Seismogram) -> std::result::Result<Seismogram, &'static str> {
    let first = seismogram.axis.sample_number(0.0).max(0) as usize;
    let count = (FIRST_MOTION_SECONDS * seismogram.sampling_rate().value()) as usize + 1;
    let [_, _, vertical] = seismogram.components();
    let onset = vertical.iter().skip(first).take(count).copied();
    let strongest = onset.max_by(|a, b| a.abs().total_cmp(&b.abs()));
    let strongest = strongest.ok_or("there is nothing after the arrival")?;
    if strongest < 0.0 {
        seismogram.scale(-1.0);
    }
    Ok(seismogram)
}

/// The components as traces named by their directions: those of events from everywhere may then
/// lie on each other.
fn directions(seismogram: Seismogram) -> mspass::core::Result<Vec<TimeSeries>> {
    let id = &seismogram.id;
    let trace = |(component, letter)| {
        let channel = format!("{}{letter}", id.channel());
        let mut trace = seismogram.extract(component)?;
        trace.id = SeedId::new(id.network(), id.station(), id.location(), &channel)?;
        Ok(trace)
    };
    DIRECTIONS.into_iter().enumerate().map(trace).collect()
}
