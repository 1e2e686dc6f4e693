//! MongoDB's document language over BSON: filters, sorts, projections and updates.
//!
//! One implementation for every store that has no query engine of its own; what it answers is what
//! a MongoDB server (6.0) answers to the same text. A filter is compiled once into a [`Matcher`]
//! that then tests any number of documents in their raw form, without allocating.
//!
//! | part | understood |
//! | --- | --- |
//! | filter | `$and $or $nor $not $elemMatch $all`, `$regex` with `$options` |
//! | compare | `$eq $ne $gt $gte $lt $lte $in $nin $exists $type $size $mod` |
//! | sort | dotted keys with 1 or -1 |
//! | projection | dotted keys with 1 or 0, `_id` apart |
//! | update | `$set $unset $inc $mul $min $max $push $pull $addToSet $pop $rename $setOnInsert` |
//!
//! Everything else is refused with [`crate::Error::Query`]. Known differences: regular expressions
//! are those of the `regex` crate, so back-references, look-around, possessive quantifiers and
//! atomic groups are refused, `$` followed by what reads the last newline finds less, and `^` under
//! the option `m` finds the place after it too; projections do not compute; collations are not
//! known; arithmetic on Decimal128 is refused or done with the nearest doubles (comparing is
//! exact).
//!
//! ```
//! use bson::{doc, raw::RawDocumentBuf};
//! use mspass_io::query::Matcher;
//!
//! let filter = doc! { "sta": { "$in": ["ANMO", "COLA"] }, "npts": { "$gt": 10 } };
//! let matcher = Matcher::parse(&filter)?;
//! let document = RawDocumentBuf::try_from(&doc! { "sta": "ANMO", "npts": 12.5 })?;
//! assert!(matcher.matches(&document));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bounds;
mod distinct;
mod filter;
mod group;
mod key;
mod matcher;
mod number;
mod order;
mod path;
mod pattern;
mod projection;
mod sort;
mod update;

#[cfg(test)]
mod tests;

pub use distinct::distinct_values;
pub use group::Grouping;
pub use key::{KEY_MISSING, encode_key};
pub use matcher::Matcher;
pub use order::compare;
pub use projection::Projection;
pub use sort::{Sort, SortKey};
pub use update::Update;

pub(crate) use bounds::{Bounds, Interval, after_prefix};
pub(crate) use key::invert;
pub(crate) use path::{Leaf, Path};

/// Levels of nesting that a filter, update or document may have at most; MongoDB's own limit.
pub const NESTING_MAX: usize = 100;

/// Bytes that one document may have at most; MongoDB's own limit.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
