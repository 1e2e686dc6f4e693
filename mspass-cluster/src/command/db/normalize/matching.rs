//! Which documents match a waveform, and what of them is taken over, as options say.

use mspass_io::db::inventory::{CHANNEL, SITE, SOURCE};
use mspass_io::db::normalize::{MatchSpec, Rule};

use super::super::super::failure::Failure;
use super::super::super::find;

/// Collection of picked phases.
const ARRIVAL: &str = "arrival";

/// Names of `--by`.
const RULES: [&str; 5] = ["miniseed", "id", "equality", "origin", "arrival"];

/// Seconds by which an origin time may be missed, as in MsPASS.
const TOLERANCE: f64 = 4.0;

#[derive(Debug, Default, clap::Args)]
pub(super) struct Matching {
    /// Collections to look in
    #[arg(long, value_name = "COLLECTION", num_args = 1.., default_values = [CHANNEL, SITE])]
    against: Vec<String>,

    /// How documents match [default: by collection, see below]
    #[arg(long = "by", value_name = "RULE", value_parser = RULES)]
    rule: Option<String>,

    /// Keys of the waveform that --by id, equality or origin look at
    #[arg(long = "key", value_name = "KEY[=KEY]", num_args = 1..)]
    keys: Vec<String>,

    /// Seconds from origin to the start of the waveform (--by origin) [default: 0]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    offset: Option<f64>,

    /// Seconds by which the origin time may be missed (--by origin) [default: 4]
    #[arg(long, value_name = "SECONDS")]
    tolerance: Option<f64>,

    /// Only arrivals of this phase (--by arrival)
    #[arg(long, value_name = "NAME")]
    phase: Option<String>,

    /// Only these documents of the collections to look in [default: all]
    #[arg(long, value_name = "JSON")]
    match_filter: Option<String>,

    /// Keys that are written beside the id, perhaps under another name; a match without one is none
    #[arg(long, value_name = "KEY[=NAME]", num_args = 1..)]
    load: Vec<String>,

    /// Keys that are written where the match has them
    #[arg(long, value_name = "KEY[=NAME]", num_args = 1..)]
    load_if_defined: Vec<String>,

    /// Write names without the collection before them (lat in place of channel_lat)
    #[arg(long)]
    no_prefix: bool,

    /// Of several matches take the one that began last
    #[arg(long)]
    latest: bool,
}

impl Matching {
    /// One for each collection.
    pub(super) fn specs(&self) -> Result<Vec<MatchSpec>, Failure> {
        let filter = find::document("--match-filter", self.match_filter.as_deref())?;
        let mut aliases = Vec::new();
        let (load, load_if_defined) = (
            named("--load", &self.load, &mut aliases)?,
            named("--load-if-defined", &self.load_if_defined, &mut aliases)?,
        );
        let spec = |collection: &String| {
            let rule = self.rule(collection)?;
            Ok(MatchSpec {
                filter: filter.clone(),
                load: load.clone(),
                load_if_defined: load_if_defined.clone(),
                aliases: aliases.clone(),
                require_unique: !self.latest,
                prepend_collection: !self.no_prefix,
                ..MatchSpec::new(collection.clone(), rule)
            })
        };
        self.against.iter().map(spec).collect()
    }

    fn rule(&self, collection: &str) -> Result<Rule, Failure> {
        let name = match (self.rule.as_deref(), collection) {
            (Some(name), _) => name,
            (None, CHANNEL | SITE) => "miniseed",
            (None, SOURCE) => "origin",
            (None, ARRIVAL) => "arrival",
            (None, other) => {
                let rules = RULES.join(", ");
                let reason = format!("say --by how documents of {other} match: {rules}");
                return Err(Failure::bad_input(reason));
            }
        };
        self.refuse_options_of_others(name)?;
        Ok(match name {
            "id" => Rule::Id { key: self.one_key()? },
            "equality" if self.keys.is_empty() => {
                return Err(Failure::bad_input("--by equality needs --key: which keys are equal?"));
            }
            "equality" => Rule::Equality {
                keys: self.keys.iter().map(|text| pair("--key", text)).collect::<Result<_, _>>()?,
            },
            "origin" => Rule::OriginTime {
                offset: finite("--offset", self.offset.unwrap_or(0.0))?,
                tolerance: finite("--tolerance", self.tolerance.unwrap_or(TOLERANCE))?,
                key: self.one_key()?,
            },
            "arrival" => Rule::Arrival { phase: self.phase.clone() },
            _ => Rule::Miniseed { with_channel: collection != SITE },
        })
    }

    /// An option that a rule does not look at was meant for another rule.
    fn refuse_options_of_others(&self, rule: &str) -> Result<(), Failure> {
        let given: [(&str, bool, &[&str]); 4] = [
            ("--key", !self.keys.is_empty(), &["id", "equality", "origin"]),
            ("--offset", self.offset.is_some(), &["origin"]),
            ("--tolerance", self.tolerance.is_some(), &["origin"]),
            ("--phase", self.phase.is_some(), &["arrival"]),
        ];
        match given.iter().find(|(_, given, rules)| *given && !rules.contains(&rule)) {
            Some((option, _, rules)) => Err(Failure::bad_input(format!(
                "{option} is nothing to --by {rule}: it belongs to --by {}",
                rules.join(", ")
            ))),
            None => Ok(()),
        }
    }

    fn one_key(&self) -> Result<Option<String>, Failure> {
        match self.keys.as_slice() {
            [] => Ok(None),
            [key] if !key.contains('=') => Ok(Some(key.clone())),
            _ => Err(Failure::bad_input(format!(
                "--key {}: name one key of the waveform",
                self.keys.join(" ")
            ))),
        }
    }
}

/// `KEY=OTHER`, or `KEY` for both.
fn pair(option: &str, text: &str) -> Result<(String, String), Failure> {
    let (one, other) = text.split_once('=').unwrap_or((text, text));
    if one.is_empty() || other.is_empty() {
        return Err(Failure::bad_input(format!("{option} '{text}': write KEY or KEY=NAME")));
    }
    Ok((one.to_owned(), other.to_owned()))
}

/// The keys, and under `aliases` those that get another name.
fn named(
    option: &str,
    texts: &[String],
    aliases: &mut Vec<(String, String)>,
) -> Result<Vec<String>, Failure> {
    let mut keys = Vec::new();
    for text in texts {
        let (key, name) = pair(option, text)?;
        if key != name {
            aliases.push((key.clone(), name));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn finite(option: &str, seconds: f64) -> Result<f64, Failure> {
    match seconds.is_finite() {
        true => Ok(seconds),
        false => Err(Failure::bad_input(format!("{option} {seconds}: name a number of seconds"))),
    }
}
