//! SEED identifiers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::error::{Error, Result};

/// Network, station, location and channel codes of a stream of samples.
///
/// Codes are kept as found in the data (trimmed); formats other than miniSEED use longer ones than
/// SEED allows, so only the separator `.` and control characters are refused. Displays as
/// `NET.STA.LOC.CHA`, an empty location included.
///
/// ```
/// use mspass_core::SeedId;
/// let id: SeedId = "YA.UV05..HHZ".parse().unwrap();
/// assert_eq!(id.station(), "UV05");
/// assert_eq!(id.location(), "");
/// assert_eq!(id.to_string(), "YA.UV05..HHZ");
/// assert_eq!(id.to_fdsn_sid().unwrap(), "FDSN:YA_UV05__H_H_Z");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SeedId {
    // Codes of up to 23 bytes take no memory of their own: ids are copied with every datum.
    network: SmolStr,
    station: SmolStr,
    location: SmolStr,
    channel: SmolStr,
}

/// Longest code accepted, bytes.
pub const CODE_LENGTH_MAX: usize = 64;

impl SeedId {
    /// An id of four codes; an error when one is too long or holds `.` or a control character.
    pub fn new(network: &str, station: &str, location: &str, channel: &str) -> Result<Self> {
        let code = |text: &str| {
            let text = text.trim();
            let sound =
                text.len() <= CODE_LENGTH_MAX && !text.chars().any(|c| c == '.' || c.is_control());
            if sound { Ok(SmolStr::new(text)) } else { Err(Error::Code { text: text.to_owned() }) }
        };
        Ok(Self {
            network: code(network)?,
            station: code(station)?,
            location: code(location)?,
            channel: code(channel)?,
        })
    }

    /// Network code.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// Station code.
    pub fn station(&self) -> &str {
        &self.station
    }

    /// Location code, often empty.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Channel code.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Empties the codes that `other` does not share.
    ///
    /// ```
    /// use mspass_core::SeedId;
    /// let mut id: SeedId = "YA.UV05.00.HHZ".parse().unwrap();
    /// id.keep_common(&"YA.UV06.00.HHZ".parse().unwrap());
    /// assert_eq!(id.to_string(), "YA..00.HHZ");
    /// ```
    pub fn keep_common(&mut self, other: &Self) {
        let keep = |mine: &mut SmolStr, theirs: &str| {
            if mine != theirs {
                *mine = SmolStr::default();
            }
        };
        keep(&mut self.network, &other.network);
        keep(&mut self.station, &other.station);
        keep(&mut self.location, &other.location);
        keep(&mut self.channel, &other.channel);
    }

    /// Bytes on the heap, for memory budgets.
    pub fn heap_bytes(&self) -> usize {
        let Self { network, station, location, channel } = self;
        let codes = [network, station, location, channel].into_iter();
        codes.filter(|code| code.is_heap_allocated()).map(|code| code.len()).sum()
    }

    /// The FDSN source identifier (`FDSN:NET_STA_LOC_B_S_SS`); `None` when the channel code does
    /// not have three characters, as FDSN's mapping from SEED needs.
    pub fn to_fdsn_sid(&self) -> Option<String> {
        let mut codes = self.channel.chars();
        let (band, source, subsource) = (codes.next()?, codes.next()?, codes.next()?);
        if codes.next().is_some() {
            return None;
        }
        let Self { network, station, location, .. } = self;
        Some(format!("FDSN:{network}_{station}_{location}_{band}_{source}_{subsource}"))
    }
}

impl fmt::Display for SeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.network, self.station, self.location, self.channel)
    }
}

impl FromStr for SeedId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split('.').collect::<Vec<_>>()[..] {
            [network, station, location, channel] => Self::new(network, station, location, channel),
            _ => Err(Error::Code { text: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for SeedId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<SeedId> for String {
    fn from(id: SeedId) -> Self {
        id.to_string()
    }
}
