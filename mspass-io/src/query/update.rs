//! Update operators, compiled once and applied to many documents.

mod apply;

use std::cmp::Ordering;

use bson::{Bson, Document};

use super::filter::{self, number};
use super::matcher::Matcher;
use super::number::Number;
use super::path::Part;
use crate::error::{Error, Result};

/// A compiled update: operators by path.
///
/// New keys are added in the order of their names, as MongoDB does; `$setOnInsert` is checked and
/// changes nothing, for an update here never inserts.
#[derive(Clone, Debug)]
pub struct Update {
    /// Sorted by path.
    steps: Vec<(Vec<Part>, Operation)>,
}

#[derive(Clone, Debug)]
enum Operation {
    Set(Bson),
    Unset,
    Inc(Bson),
    Mul(Bson),
    Min(Bson),
    Max(Bson),
    Push { values: Vec<Bson>, position: Option<i64>, slice: Option<i64> },
    AddToSet(Vec<Bson>),
    Pull(Pull),
    Pop { first: bool },
    RenameFrom(Vec<Part>),
    Nothing,
}

/// Which elements `$pull` takes out.
#[derive(Clone, Debug)]
enum Pull {
    /// Documents that match.
    Document(Matcher),
    /// Values that match under the empty key.
    Value(Matcher),
    Equal(Bson),
}

impl Update {
    /// Compiles update operators; a replacement document is refused, as is all that is not known.
    pub fn parse(update: &Document) -> Result<Self> {
        if update.is_empty() {
            return refuse("an update needs operators such as $set");
        }
        let mut steps = Vec::new();
        for (operator, fields) in update {
            if !operator.starts_with('$') {
                return refuse(format!("an update takes operators such as $set, not '{operator}'"));
            }
            let Bson::Document(fields) = fields else {
                return refuse(format!("{operator} needs a document of paths"));
            };
            for (path, operand) in fields {
                parse_step(operator, path, operand, &mut steps)?;
            }
        }
        steps.sort_by(|(a, _), (b, _)| compare_paths(a, b));
        for pair in steps.windows(2) {
            let (shorter, longer) = (&pair[0].0, &pair[1].0);
            if longer.len() >= shorter.len() && longer[..shorter.len()] == shorter[..] {
                return refuse(format!("an update names '{}' twice", join(shorter)));
            }
        }
        Ok(Self { steps })
    }

    /// Applies the update and returns whether it changed anything. On an error the document is
    /// left in the middle of it.
    pub fn apply(&self, document: &mut Document) -> Result<bool> {
        apply::apply(&self.steps, document)
    }
}

fn refuse<T>(reason: impl Into<String>) -> Result<T> {
    Err(Error::query(reason))
}

fn join(parts: &[Part]) -> String {
    parts.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(".")
}

/// By name, places in arrays by number.
fn compare_paths(a: &[Part], b: &[Part]) -> Ordering {
    let by_part = |(a, b): (&Part, &Part)| match (a.index, b.index) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.name.cmp(&b.name),
    };
    a.iter().zip(b).map(by_part).find(|o| o.is_ne()).unwrap_or(a.len().cmp(&b.len()))
}

fn parse_path(path: &str) -> Result<Vec<Part>> {
    let parts: Vec<_> = path.split('.').map(Part::parse).collect();
    for part in &parts {
        if part.name.is_empty() {
            return refuse(format!("the update path '{path}' has an empty key"));
        }
        if part.name.starts_with('$') {
            return refuse(format!("the update path '{path}' has a key that begins with $"));
        }
    }
    if parts.len() > super::NESTING_MAX {
        return refuse(format!("an update path has more than {} keys", super::NESTING_MAX));
    }
    Ok(parts)
}

fn parse_step(
    operator: &str,
    path: &str,
    operand: &Bson,
    steps: &mut Vec<(Vec<Part>, Operation)>,
) -> Result<()> {
    let parts = parse_path(path)?;
    let value = operand.clone();
    let operation = match operator {
        "$set" => Operation::Set(value),
        "$unset" => Operation::Unset,
        "$setOnInsert" => Operation::Nothing,
        "$inc" | "$mul" => {
            match number(&value) {
                None => return refuse(format!("{operator} of '{path}' needs a number")),
                Some(Number::Decimal(_)) => {
                    return refuse(format!("{operator} does not compute with Decimal128"));
                }
                Some(_) => {}
            }
            if operator == "$inc" { Operation::Inc(value) } else { Operation::Mul(value) }
        }
        "$min" => Operation::Min(value),
        "$max" => Operation::Max(value),
        "$push" => parse_push(path, value)?,
        "$addToSet" => Operation::AddToSet(parse_each(path, value)?),
        "$pull" => Operation::Pull(parse_pull(&value)?),
        "$pop" => match number(&value).and_then(Number::to_integer) {
            Some(1) => Operation::Pop { first: false },
            Some(-1) => Operation::Pop { first: true },
            _ => return refuse(format!("$pop of '{path}' is neither 1 nor -1")),
        },
        "$rename" => {
            let Bson::String(target) = &value else {
                return refuse(format!("$rename of '{path}' needs the new path as a string"));
            };
            let target = parse_path(target)?;
            if target == parts {
                return refuse(format!("$rename of '{path}' to itself"));
            }
            steps.push((target, Operation::RenameFrom(parts.clone())));
            Operation::Nothing
        }
        _ => return refuse(format!("the update operator {operator} is not known")),
    };
    steps.push((parts, operation));
    Ok(())
}

fn each(value: &Bson) -> Option<&Document> {
    value.as_document().filter(|d| d.keys().next().is_some_and(|key| key == "$each"))
}

fn parse_each(path: &str, value: Bson) -> Result<Vec<Bson>> {
    match each(&value) {
        None => Ok(vec![value]),
        Some(clauses) => match (clauses.get("$each"), clauses.len()) {
            (Some(Bson::Array(values)), 1) => Ok(values.clone()),
            (_, 1) => refuse(format!("$each of '{path}' needs an array")),
            _ => refuse(format!("$addToSet of '{path}' takes nothing beside $each")),
        },
    }
}

fn parse_push(path: &str, value: Bson) -> Result<Operation> {
    let clauses = value.as_document().filter(|d| d.contains_key("$each"));
    let Some(clauses) = clauses else {
        return Ok(Operation::Push { values: vec![value], position: None, slice: None });
    };
    let (mut values, mut position, mut slice) = (Vec::new(), None, None);
    for (clause, operand) in clauses {
        let integer = number(operand).and_then(Number::to_integer);
        match (clause.as_str(), operand, integer) {
            ("$each", Bson::Array(each), _) => values.clone_from(each),
            ("$position", _, Some(n)) => position = Some(n),
            ("$slice", _, Some(n)) => slice = Some(n),
            ("$each" | "$position" | "$slice", ..) => {
                return refuse(format!("{clause} of '{path}' has a value of the wrong type"));
            }
            _ => return refuse(format!("$push does not know the clause {clause}")),
        }
    }
    Ok(Operation::Push { values, position, slice })
}

fn parse_pull(value: &Bson) -> Result<Pull> {
    let wrapped = || Matcher::parse(&bson::doc! { "": value.clone() }).map(Pull::Value);
    match value {
        Bson::RegularExpression(_) => wrapped(),
        Bson::Document(condition) => {
            let first = condition.keys().next().map(String::as_str);
            let logical = matches!(first, Some("$and" | "$or" | "$nor" | "$not" | "$comment"));
            if filter::is_operators(condition) && !logical {
                return wrapped();
            }
            Ok(Pull::Document(Matcher::parse(condition)?))
        }
        _ => Ok(Pull::Equal(value.clone())),
    }
}
