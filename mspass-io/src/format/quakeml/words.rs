//! The words that QuakeML 1.2 allows.

pub(super) const EVENT_TYPES: [&str; 44] = [
    "not existing",
    "not reported",
    "earthquake",
    "anthropogenic event",
    "collapse",
    "cavity collapse",
    "mine collapse",
    "building collapse",
    "explosion",
    "accidental explosion",
    "chemical explosion",
    "controlled explosion",
    "experimental explosion",
    "industrial explosion",
    "mining explosion",
    "quarry blast",
    "road cut",
    "blasting levee",
    "nuclear explosion",
    "induced or triggered event",
    "rock burst",
    "reservoir loading",
    "fluid injection",
    "fluid extraction",
    "crash",
    "plane crash",
    "train crash",
    "boat crash",
    "other event",
    "atmospheric event",
    "sonic boom",
    "sonic blast",
    "acoustic noise",
    "thunder",
    "avalanche",
    "snow avalanche",
    "debris avalanche",
    "hydroacoustic event",
    "ice quake",
    "slide",
    "landslide",
    "rockslide",
    "meteorite",
    "volcanic eruption",
];
pub(super) const CERTAINTIES: [&str; 2] = ["known", "suspected"];
pub(super) const DEPTH_TYPES: [&str; 8] = [
    "from location",
    "from moment tensor inversion",
    "from modeling of broad-band P waveforms",
    "constrained by depth phases",
    "constrained by direct phases",
    "constrained by depth and direct phases",
    "operator assigned",
    "other",
];
pub(super) const MODES: [&str; 2] = ["manual", "automatic"];
pub(super) const STATUSES: [&str; 5] =
    ["preliminary", "confirmed", "reviewed", "final", "rejected"];
pub(super) const ONSETS: [&str; 3] = ["emergent", "impulsive", "questionable"];
pub(super) const POLARITIES: [&str; 3] = ["positive", "negative", "undecidable"];
