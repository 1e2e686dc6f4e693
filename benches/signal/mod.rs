//! Made-up seismograms that a seed repeats, of the kind that the synthetic archive holds:
//! microseism, instrument noise, drift and offset at 100 Hz. Steim-2 packs them to about 0.75 bytes
//! a sample.

/// Random draws: SplitMix64 (Steele, Lea and Flood, 2014), where every seed is as good as another.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    state: u64,
}

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Close to normal, with mean 0 and variance 1: a sum of twelve.
    fn noise(&mut self) -> f64 {
        (0..12).map(|_| self.fraction()).sum::<f64>() - 6.0
    }
}

/// Samples per second.
pub(crate) const SAMPLING_RATE: f64 = 100.0;

/// Whole counts, as a digitiser gives them.
pub(crate) fn counts(npts: usize, seed: u64) -> Vec<i32> {
    let mut draw = Draw::new(seed);
    let offset = 4000.0 * draw.fraction() - 2000.0;
    // White noise through a resonance at 0.18 Hz, scaled to a deviation of about 150 counts.
    let (radius, angle) = (0.9985_f64, std::f64::consts::TAU * 0.18 / SAMPLING_RATE);
    let (first, second) = (2.0 * radius * angle.cos(), radius * radius);
    let (mut last, mut before) = (0.0, 0.0);
    let sample = |at: usize| {
        let microseism = first * last - second * before + 0.093 * draw.noise();
        (before, last) = (last, microseism);
        let drift = 0.02 * at as f64 / SAMPLING_RATE;
        (microseism + 3.0 * draw.noise() + drift + offset).round() as i32
    };
    (0..npts).map(sample).collect()
}
