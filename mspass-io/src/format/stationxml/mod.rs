//! StationXML 1.0 to 1.2 to an [`Inventory`] and back.
//!
//! Real documents break the schema in many ways; what can be understood is read, what cannot is
//! left out with a remark. Only XML that is not well formed is an error. What is kept of a document
//! is at most about twelve times its length, whatever it holds.

mod read;
mod response;
mod write;

use std::path::Path;

use mspass_core::Inventory;
use mspass_core::inventory::{Channel, Network};

use super::xml::{self, Pull, Remark, Remarks};
use crate::error::Result;

/// The namespace of StationXML.
const NAMESPACE: &str = "http://www.fdsn.org/xml/station/1";

const FORMAT: &str = "StationXML";

/// What was read of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct StationReading {
    /// The networks.
    pub inventory: Inventory,
    /// Version of the schema that the document claims.
    pub version: Option<String>,
    /// What could not be used.
    pub remarks: Vec<Remark>,
}

/// Reads a file; an error as of [`read`], or where the file cannot be read.
pub fn read_file(path: &Path) -> Result<StationReading> {
    read(&xml::read_bytes(FORMAT, path)?)
}

/// Reads a document; an error naming line and byte where it is not well-formed XML, not StationXML,
/// or beyond a bound ([`xml::DOCUMENT_BYTES_MAX`] and its kin).
///
/// ```
/// use mspass_io::format::stationxml;
/// let text = r#"<FDSNStationXML xmlns="http://www.fdsn.org/xml/station/1">
///     <Source>here</Source><Network code="XX"/></FDSNStationXML>"#;
/// let reading = stationxml::read(text.as_bytes()).unwrap();
/// assert_eq!(reading.inventory.networks[0].code, "XX");
/// assert!(stationxml::read(&text.as_bytes()[..90]).is_err());
/// ```
pub fn read(bytes: &[u8]) -> Result<StationReading> {
    let text = xml::decode(FORMAT, bytes)?;
    read::document(Pull::new(FORMAT, &text, is_own), Remarks::new(&text))
}

/// Writes a document of version 1.2.
pub fn write(inventory: &Inventory) -> String {
    write::document(inventory)
}

/// A network alone, as an element in StationXML's namespace; a text for a document.
pub fn write_network(network: &Network) -> String {
    write::network_alone(network)
}

/// Reads the text that [`write_network`] gives.
pub fn read_network(text: &str) -> Result<Network> {
    let mut remarks = Remarks::new(text);
    let mut pull = Pull::new(FORMAT, text, is_own);
    let tag = pull.root("Network")?;
    let network = read::network(&mut pull, tag, &mut remarks)?;
    pull.finish()?;
    network.ok_or_else(|| pull.error("the network has no code"))
}

/// A channel alone, response and all, as an element in StationXML's namespace; a text for a
/// document.
pub fn write_channel(channel: &Channel) -> String {
    write::channel_alone(channel)
}

/// Reads the text that [`write_channel`] gives; `None` for a channel without a place.
pub fn read_channel(text: &str) -> Result<Option<Channel>> {
    let mut pull = Pull::new(FORMAT, text, is_own);
    let tag = pull.root("Channel")?;
    let element = pull.tree(tag)?;
    pull.finish()?;
    Ok(read::channel(&element, &mut Remarks::new(text)))
}

fn is_own(namespace: Option<&str>) -> bool {
    namespace.is_none_or(|name| name == NAMESPACE)
}
