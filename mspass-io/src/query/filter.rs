//! From a filter document to a compiled condition.

use bson::raw::RawBson;
use bson::spec::ElementType;
use bson::{Bson, Document};

use super::NESTING_MAX;
use super::matcher::{Comparison, Node, Test, Types};
use super::number::Number;
use super::order::compare;
use super::path::Path;
use super::pattern::Pattern;
use crate::error::{Error, Result};

/// Compiles a whole filter.
pub(super) fn parse(filter: &Document) -> Result<Node> {
    parse_document(filter, 0)
}

fn refuse<T>(reason: impl Into<String>) -> Result<T> {
    Err(Error::query(reason))
}

fn parse_document(filter: &Document, depth: usize) -> Result<Node> {
    if depth > NESTING_MAX {
        return refuse(format!("a filter is nested deeper than {NESTING_MAX} levels"));
    }
    let mut nodes = Vec::with_capacity(filter.len());
    for (key, value) in filter {
        match key.as_str() {
            "$and" => nodes.push(Node::And(parse_branches(key, value, depth)?)),
            "$or" => nodes.push(Node::Or(parse_branches(key, value, depth)?)),
            "$nor" => {
                nodes.push(Node::Not(Box::new(Node::Or(parse_branches(key, value, depth)?))));
            }
            "$comment" => {}
            _ if key.starts_with('$') => {
                return refuse(format!("the filter operator {key} is not known"));
            }
            _ => parse_field(&Path::parse(key), value, depth, &mut nodes)?,
        }
    }
    Ok(single_or_and(nodes))
}

fn single_or_and(mut nodes: Vec<Node>) -> Node {
    match (nodes.pop(), nodes.is_empty()) {
        (Some(node), true) => node,
        (Some(node), false) => {
            nodes.push(node);
            Node::And(nodes)
        }
        (None, _) => Node::And(nodes),
    }
}

fn parse_branches(operator: &str, value: &Bson, depth: usize) -> Result<Vec<Node>> {
    let Bson::Array(branches) = value else {
        return refuse(format!("{operator} needs an array of filters"));
    };
    if branches.is_empty() {
        return refuse(format!("{operator} needs at least one filter"));
    }
    let parse_branch = |branch: &Bson| match branch {
        Bson::Document(filter) => parse_document(filter, depth + 1),
        _ => refuse(format!("{operator} needs an array of filters")),
    };
    branches.iter().map(parse_branch).collect()
}

/// `path: value`, where the value is operators, a pattern, or what the field must equal.
fn parse_field(path: &Path, value: &Bson, depth: usize, nodes: &mut Vec<Node>) -> Result<()> {
    match value {
        Bson::Document(operators) if is_operators(operators) => {
            parse_operators(path, operators, depth, nodes)
        }
        Bson::RegularExpression(regex) => {
            let pattern = Pattern::parse(regex.pattern.as_str(), regex.options.as_str())?;
            nodes.push(Node::Field(path.clone(), Test::Pattern(pattern)));
            Ok(())
        }
        _ => {
            nodes.push(parse_comparison(path, Comparison::Equal, "$eq", value)?);
            Ok(())
        }
    }
}

/// Whether a document holds operators rather than being a value; `{$ref, $id}` is a value.
pub(super) fn is_operators(document: &Document) -> bool {
    let starts = document.keys().next().is_some_and(|key| key.starts_with('$'));
    let reference = matches!(document.get("$ref"), Some(Bson::String(_)))
        && document.contains_key("$id")
        && document.get("$db").is_none_or(|db| matches!(db, Bson::String(_)));
    starts && !reference
}

fn parse_operators(
    path: &Path,
    operators: &Document,
    depth: usize,
    nodes: &mut Vec<Node>,
) -> Result<()> {
    if depth > NESTING_MAX {
        return refuse(format!("a filter is nested deeper than {NESTING_MAX} levels"));
    }
    for (operator, value) in operators {
        let field = |test| Node::Field(path.clone(), test);
        let not = |node| Node::Not(Box::new(node));
        nodes.push(match operator.as_str() {
            "$eq" => parse_comparison(path, Comparison::Equal, operator, value)?,
            "$gt" => parse_comparison(path, Comparison::Greater, operator, value)?,
            "$gte" => parse_comparison(path, Comparison::GreaterEqual, operator, value)?,
            "$lt" => parse_comparison(path, Comparison::Less, operator, value)?,
            "$lte" => parse_comparison(path, Comparison::LessEqual, operator, value)?,
            "$ne" if matches!(value, Bson::RegularExpression(_)) => {
                return refuse("$ne takes no regular expression: use $not");
            }
            "$ne" => not(parse_comparison(path, Comparison::Equal, operator, value)?),
            "$in" => field(parse_in(operator, value)?),
            "$nin" => not(field(parse_in(operator, value)?)),
            "$not" => not(parse_not(path, value, depth)?),
            "$exists" if is_true(value) => field(Test::Exists),
            "$exists" => not(field(Test::Exists)),
            "$type" => field(Test::Type(parse_types(value)?)),
            "$regex" => field(Test::Pattern(parse_regex(value, operators.get("$options"))?)),
            "$options" if operators.contains_key("$regex") => continue,
            "$options" => return refuse("$options needs a $regex beside it"),
            "$mod" => field(parse_mod(value)?),
            "$size" => field(parse_size(value)?),
            "$all" => parse_all(path, value, depth)?,
            "$elemMatch" => field(parse_element(value, depth)?),
            _ if operator.starts_with('$') => {
                return refuse(format!("the filter operator {operator} is not known"));
            }
            _ => return refuse(format!("{operator} stands among operators and is none")),
        });
    }
    Ok(())
}

fn parse_comparison(
    path: &Path,
    comparison: Comparison,
    operator: &str,
    value: &Bson,
) -> Result<Node> {
    match value {
        Bson::Undefined => return refuse("nothing can be compared with undefined"),
        Bson::RegularExpression(_) if comparison != Comparison::Equal => {
            return refuse(format!("{operator} takes no regular expression"));
        }
        _ => {}
    }
    Ok(Node::Field(path.clone(), Test::Compare(comparison, raw(value)?)))
}

/// A value in the raw form that documents are tested in.
pub(super) fn raw(value: &Bson) -> Result<RawBson> {
    RawBson::try_from(value.clone()).map_err(|e| Error::query(format!("a value is not BSON: {e}")))
}

fn parse_in(operator: &str, value: &Bson) -> Result<Test> {
    let Bson::Array(items) = value else { return refuse(format!("{operator} needs an array")) };
    let (mut values, mut patterns) = (Vec::with_capacity(items.len()), Vec::new());
    for item in items {
        match item {
            Bson::RegularExpression(regex) => {
                patterns.push(Pattern::parse(regex.pattern.as_str(), regex.options.as_str())?);
            }
            Bson::Document(inner) if inner.keys().next().is_some_and(|k| k.starts_with('$')) => {
                return refuse(format!("{operator} takes values, not operators"));
            }
            Bson::Undefined => return refuse("nothing can be compared with undefined"),
            _ => values.push(raw(item)?),
        }
    }
    values.sort_by(|a, b| compare(a.as_raw_bson_ref(), b.as_raw_bson_ref()));
    values.dedup_by(|a, b| compare(a.as_raw_bson_ref(), b.as_raw_bson_ref()).is_eq());
    Ok(Test::In { values, patterns })
}

fn parse_not(path: &Path, value: &Bson, depth: usize) -> Result<Node> {
    let mut nodes = Vec::new();
    match value {
        Bson::RegularExpression(_) => parse_field(path, value, depth + 1, &mut nodes)?,
        Bson::Document(operators) if !operators.is_empty() => {
            parse_operators(path, operators, depth + 1, &mut nodes)?;
        }
        _ => return refuse("$not needs operators or a regular expression"),
    }
    Ok(single_or_and(nodes))
}

/// What counts as true: everything but false, zero, null and undefined.
pub(super) fn is_true(value: &Bson) -> bool {
    match value {
        Bson::Boolean(value) => *value,
        Bson::Null | Bson::Undefined => false,
        _ => number(value).is_none_or(|n| n.is_nan() || n.to_integer() != Some(0)),
    }
}

/// The number that a value is, if it is one.
pub(super) fn number(value: &Bson) -> Option<Number> {
    Some(match value {
        Bson::Int32(n) => Number::Int((*n).into()),
        Bson::Int64(n) => Number::Int(*n),
        Bson::Double(x) => Number::Double(*x),
        Bson::Decimal128(d) => return Number::of(bson::raw::RawBsonRef::Decimal128(*d)),
        _ => return None,
    })
}

fn parse_mod(value: &Bson) -> Result<Test> {
    let Bson::Array(parts) = value else { return refuse("$mod needs [divisor, remainder]") };
    let [divisor, remainder] = parts.as_slice() else {
        return refuse("$mod needs [divisor, remainder]");
    };
    let integer = |value| number(value).and_then(Number::truncate);
    match (integer(divisor), integer(remainder)) {
        (Some(0), _) => refuse("the divisor of $mod is 0"),
        (Some(divisor), Some(remainder)) => Ok(Test::Mod { divisor, remainder }),
        _ => refuse("$mod needs two numbers that are integers of 64 bits when cut off"),
    }
}

fn parse_size(value: &Bson) -> Result<Test> {
    match number(value).and_then(Number::to_integer) {
        Some(size) if size >= 0 => Ok(Test::Size(size)),
        _ => refuse("$size needs a whole number that is not negative"),
    }
}

fn parse_regex(value: &Bson, options: Option<&Bson>) -> Result<Pattern> {
    let options = match options {
        None => None,
        Some(Bson::String(options)) => Some(options.as_str()),
        Some(_) => return refuse("$options needs a string"),
    };
    match value {
        Bson::String(pattern) => Pattern::parse(pattern, options.unwrap_or_default()),
        Bson::RegularExpression(regex) => {
            let own = regex.options.as_str();
            if options.is_some() && !own.is_empty() {
                return refuse("the options of a regular expression are given twice");
            }
            Pattern::parse(regex.pattern.as_str(), options.unwrap_or(own))
        }
        _ => refuse("$regex needs a string or a regular expression"),
    }
}

fn parse_types(value: &Bson) -> Result<Types> {
    let mut types = Types::default();
    match value {
        Bson::Array(names) if names.is_empty() => return refuse("$type needs at least one type"),
        Bson::Array(names) => names.iter().try_for_each(|name| parse_type(name, &mut types))?,
        name => parse_type(name, &mut types)?,
    }
    Ok(types)
}

fn parse_type(name: &Bson, types: &mut Types) -> Result<()> {
    let code = match name {
        Bson::String(name) if name == "number" => {
            types.any_number = true;
            return Ok(());
        }
        Bson::String(name) => TYPE_NAMES.iter().find(|(known, _)| known == name).map(|(_, t)| *t),
        _ => match number(name).and_then(Number::to_integer) {
            Some(-1) => Some(ElementType::MinKey),
            Some(code @ (1..=19 | 127)) => ElementType::from(code as u8),
            _ => None,
        },
    };
    match code {
        Some(code) => types.types.push(code),
        None => return refuse(format!("$type does not know the type {name}")),
    }
    Ok(())
}

/// MongoDB's names of the BSON types.
const TYPE_NAMES: [(&str, ElementType); 21] = [
    ("double", ElementType::Double),
    ("string", ElementType::String),
    ("object", ElementType::EmbeddedDocument),
    ("array", ElementType::Array),
    ("binData", ElementType::Binary),
    ("undefined", ElementType::Undefined),
    ("objectId", ElementType::ObjectId),
    ("bool", ElementType::Boolean),
    ("date", ElementType::DateTime),
    ("null", ElementType::Null),
    ("regex", ElementType::RegularExpression),
    ("dbPointer", ElementType::DbPointer),
    ("javascript", ElementType::JavaScriptCode),
    ("symbol", ElementType::Symbol),
    ("javascriptWithScope", ElementType::JavaScriptCodeWithScope),
    ("int", ElementType::Int32),
    ("timestamp", ElementType::Timestamp),
    ("long", ElementType::Int64),
    ("decimal", ElementType::Decimal128),
    ("minKey", ElementType::MinKey),
    ("maxKey", ElementType::MaxKey),
];

fn parse_all(path: &Path, value: &Bson, depth: usize) -> Result<Node> {
    let Bson::Array(items) = value else { return refuse("$all needs an array") };
    if items.is_empty() {
        return Ok(Node::Or(Vec::new())); // matches nothing
    }
    let element_match = |item: &Bson| match item {
        Bson::Document(inner) => inner.keys().next().is_some_and(|k| k == "$elemMatch"),
        _ => false,
    };
    let elements = items.iter().filter(|item| element_match(item)).count();
    if elements != 0 && (elements != items.len() || !element_match(&items[0])) {
        return refuse("$all takes values or $elemMatch, not both");
    }
    let mut nodes = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Bson::Document(inner) if elements != 0 => {
                match (inner.get("$elemMatch"), inner.len()) {
                    (Some(value), 1) => {
                        nodes.push(Node::Field(path.clone(), parse_element(value, depth)?));
                    }
                    _ => return refuse("$elemMatch within $all stands alone"),
                }
            }
            Bson::Document(inner) if inner.keys().next().is_some_and(|k| k.starts_with('$')) => {
                return refuse("$all takes values, not operators");
            }
            _ => parse_field(path, item, depth, &mut nodes)?,
        }
    }
    Ok(single_or_and(nodes))
}

fn parse_element(value: &Bson, depth: usize) -> Result<Test> {
    let Bson::Document(filter) = value else { return refuse("$elemMatch needs a document") };
    let first = filter.keys().next().map(String::as_str);
    let logical = matches!(first, Some("$and" | "$or" | "$nor" | "$where"));
    if is_operators(filter) && !logical {
        let mut nodes = Vec::new();
        parse_operators(&Path::parse(""), filter, depth + 1, &mut nodes)?;
        return Ok(Test::ElementValue(Box::new(single_or_and(nodes))));
    }
    Ok(Test::ElementObject(Box::new(parse_document(filter, depth + 1)?)))
}
