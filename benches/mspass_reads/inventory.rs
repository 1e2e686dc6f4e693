//! The stations of the sample archive and an event, for MsPASS's matchers.

use mspass_io::Result;
use mspass_io::db::inventory::{InventoryOptions, save_events, save_inventory};
use mspass_io::format::{quakeml, stationxml};
use mspass_io::store::Database;

/// Codes of the stations of `examples/data/sds`; the second has two epochs, of which one fits.
const STATIONS: [(&str, &[(&str, &str)]); 3] = [
    ("UV05", &[("2009-01-01T00:00:00", "2011-12-31T00:00:00")]),
    (
        "UV06",
        &[
            ("2009-01-01T00:00:00", "2010-01-01T00:00:00"),
            ("2010-01-01T00:00:01", "2011-12-31T00:00:00"),
        ],
    ),
    ("UV10", &[("2009-01-01T00:00:00", "2011-12-31T00:00:00")]),
];

/// An hour into the first day of the sample archive.
const EVENT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<q:quakeml xmlns:q="http://quakeml.org/xmlns/quakeml/1.2" xmlns="http://quakeml.org/xmlns/bed/1.2">
 <eventParameters publicID="smi:local/all"><event publicID="smi:local/event/1">
  <origin publicID="smi:local/origin/1"><time><value>2010-09-01T01:00:00.25</value></time>
   <latitude><value>-21.25</value></latitude><longitude><value>55.5</value></longitude>
   <depth><value>12500</value></depth></origin>
  <magnitude publicID="smi:local/magnitude/1"><mag><value>4.5</value></mag><type>ML</type>
   <originID>smi:local/origin/1</originID></magnitude>
 </event></eventParameters></q:quakeml>"#;

fn station_xml() -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <FDSNStationXML xmlns=\"http://www.fdsn.org/xml/station/1\" schemaVersion=\"1.2\">\n\
         <Source>mspass</Source><Created>2020-01-01T00:00:00</Created>\n\
         <Network code=\"YA\" startDate=\"2009-01-01T00:00:00\">\n",
    );
    for (at, (code, epochs)) in STATIONS.iter().enumerate() {
        let (first, last) = (epochs[0].0, epochs[epochs.len() - 1].1);
        let place = format!(
            "<Latitude>-21.{at}25</Latitude><Longitude>55.{at}75</Longitude>\
             <Elevation>{}.5</Elevation>",
            2100 + at
        );
        text += &format!(
            "<Station code=\"{code}\" startDate=\"{first}\" endDate=\"{last}\">{place}\
             <Site><Name>{code}</Name></Site>\n"
        );
        for (start, end) in *epochs {
            text += &format!(
                "<Channel code=\"HHZ\" locationCode=\"00\" startDate=\"{start}\" endDate=\"{end}\">\
                 {place}<Depth>1.5</Depth><Azimuth>0</Azimuth><Dip>-90</Dip>\
                 <SampleRate>100</SampleRate></Channel>\n"
            );
        }
        text += "</Station>\n";
    }
    text + "</Network></FDSNStationXML>\n"
}

/// Writes `site`, `channel` and `source`.
pub(super) fn write(database: &Database) -> Result<()> {
    let stations = stationxml::read(station_xml().as_bytes())?;
    let report = save_inventory(database, &stations.inventory, &InventoryOptions::default())?;
    assert_eq!((report.sites_saved, report.channels_saved), (3, 4), "{report:?}");
    let events = quakeml::read(EVENT.as_bytes())?;
    let report = save_events(database, &events.events)?;
    assert_eq!(report.saved, 1, "{report:?}");
    Ok(())
}
