//! Changes of metadata.

use serde::{Deserialize, Serialize};

use crate::datum::Datum;
use crate::error::{Error, Result};
use crate::metadata::key::STRUCTURE;
use crate::process::header::{Constant, Operand, Operator, check_key, fact, missing};
use crate::process::{Facts, Process, Scratch, by_name};

/// One change of metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Edit {
    /// Gives a value another name (MsPASS `ChangeKey`), over what stands there.
    Rename {
        /// Its name.
        from: String,
        /// Its new name.
        to: String,
        /// Whether it keeps the old name as well; structural facts always do.
        keep: bool,
    },
    /// Sets a value (`SetValue`).
    Set {
        /// Its name.
        key: String,
        /// What to set.
        value: Constant,
    },
    /// Sets the result of an operation (`Add` to `Mod`, `Add2` to `Mod2`).
    Compute {
        /// The name of the result; it may be that of an operand.
        key: String,
        /// What stands left of the operator.
        left: Operand,
        /// The operation.
        operator: Operator,
        /// What stands right of the operator.
        right: Operand,
    },
    /// Removes the values of these names where they are there (`erase_metadata`).
    Erase {
        /// Their names.
        keys: Vec<String>,
    },
    /// Removes all values but those of these names (`Janitor`).
    KeepOnly {
        /// Their names.
        keys: Vec<String>,
    },
}

/// Changes metadata, one edit after the other (MsPASS's `MetadataOperatorChain`).
///
/// Operands and renamed values may be structural facts such as `starttime`; nothing is written over
/// those. A value that is missing or no number, a division by zero and a result that is too large
/// kill. Ensembles have their own metadata changed.
///
/// ```
/// use mspass_core::metadata::Value;
/// use mspass_core::process::{HeaderEdit, Operator, Process, Scratch};
/// use mspass_core::TimeSeries;
/// let mut trace = TimeSeries::default();
/// trace.metadata.insert("depth_m", 12_500);
/// let edit = HeaderEdit::default()
///     .compute("source_depth", "depth_m", Operator::Divide, 1000)
///     .compute("elapsed", "Ptime", Operator::Subtract, "starttime")
///     .erase(["depth_m"]);
/// trace.metadata.insert("Ptime", 4.5);
/// let trace = edit.apply(&mut trace, &mut Scratch::default()).unwrap();
/// assert_eq!(trace.metadata.get("source_depth"), Some(&Value::Double(12.5)));
/// assert_eq!(trace.metadata.get("elapsed"), Some(&Value::Double(4.5)));
/// assert_eq!(trace.metadata.get("depth_m"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeaderEdit {
    /// The edits in order.
    pub edits: Vec<Edit>,
}

impl HeaderEdit {
    /// Then gives a value another name.
    #[must_use]
    pub fn rename(self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.then(Edit::Rename { from: from.into(), to: to.into(), keep: false })
    }

    /// Then gives a value or a structural fact a second name.
    #[must_use]
    pub fn copy(self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.then(Edit::Rename { from: from.into(), to: to.into(), keep: true })
    }

    /// Then sets a value.
    #[must_use]
    pub fn set(self, key: impl Into<String>, value: impl Into<Constant>) -> Self {
        self.then(Edit::Set { key: key.into(), value: value.into() })
    }

    /// Then sets `key` to the result of an operation on numbers, or on values of these names.
    #[must_use]
    pub fn compute(
        self,
        key: impl Into<String>,
        left: impl Into<Operand>,
        operator: Operator,
        right: impl Into<Operand>,
    ) -> Self {
        let (key, left, right) = (key.into(), left.into(), right.into());
        self.then(Edit::Compute { key, left, operator, right })
    }

    /// Then changes a value by a number, or by the value of another name.
    #[must_use]
    pub fn change(self, key: &str, operator: Operator, right: impl Into<Operand>) -> Self {
        self.compute(key, key, operator, right)
    }

    /// Then removes values.
    #[must_use]
    pub fn erase<K: Into<String>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        self.then(Edit::Erase { keys: keys.into_iter().map(K::into).collect() })
    }

    /// Then removes all values but these.
    #[must_use]
    pub fn keep_only<K: Into<String>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        self.then(Edit::KeepOnly { keys: keys.into_iter().map(K::into).collect() })
    }

    fn then(mut self, edit: Edit) -> Self {
        self.edits.push(edit);
        self
    }
}

impl Edit {
    fn check(&self) -> Result<()> {
        match self {
            Self::Rename { from, to, keep } => {
                check_key(from)?;
                if !keep {
                    check_target(from)?;
                }
                check_target(to)
            }
            Self::Set { key, value } => {
                check_target(key)?;
                value.check()
            }
            Self::Compute { key, left, operator, right } => {
                check_target(key)?;
                left.check()?;
                right.check()?;
                operator.check(right)
            }
            Self::Erase { keys } => keys.iter().try_for_each(|key| check_target(key)),
            Self::KeepOnly { keys } => keys.iter().try_for_each(|key| check_key(key)),
        }
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        match self {
            Self::Rename { from, to, keep } => {
                facts.need(from)?;
                if !keep {
                    facts.remove(from);
                }
                facts.put(to);
            }
            Self::Set { key, .. } => facts.put(key),
            Self::Compute { key, left, right, .. } => {
                left.foresee(facts)?;
                right.foresee(facts)?;
                facts.put(key);
            }
            Self::Erase { keys } => keys.iter().for_each(|key| facts.remove(key)),
            Self::KeepOnly { keys } => facts.keep_only(keys.iter().map(String::as_str)),
        }
        Ok(())
    }

    fn apply<T: Datum>(&self, datum: &mut T) -> Result<()> {
        match self {
            Self::Rename { from, to, keep } => {
                let value = fact(datum, from).ok_or_else(|| missing(from))?;
                if !keep {
                    datum.metadata_mut().remove(from);
                }
                datum.metadata_mut().insert(to, value);
            }
            Self::Set { key, value } => datum.metadata_mut().insert(key, value),
            Self::Compute { key, left, operator, right } => {
                let value = operator.compute(datum, [left, right], key)?;
                datum.metadata_mut().insert(key, value);
            }
            Self::Erase { keys } => {
                for key in keys {
                    datum.metadata_mut().remove(key);
                }
            }
            Self::KeepOnly { keys } => {
                datum.metadata_mut().retain(|name, _| keys.iter().any(|key| key == name));
            }
        }
        Ok(())
    }
}

/// A key that may be written to.
fn check_target(key: &str) -> Result<()> {
    check_key(key)?;
    if STRUCTURE.contains(&key) {
        let reason = "is a fact of the data's structure: a header edit cannot write it";
        return Err(Error::parameter("key", key, reason));
    }
    Ok(())
}

impl<T: Datum> Process<T> for HeaderEdit {
    type Output = T;

    fn name(&self) -> &str {
        "header_edit"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        self.edits.iter().try_for_each(Edit::check)
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        self.edits.iter().try_for_each(|edit| edit.foresee(facts))
    }

    /// An edit that fails leaves those before it done.
    fn apply(&self, datum: &mut T, _: &mut Scratch) -> Result<T> {
        self.edits.iter().try_for_each(|edit| edit.apply(datum))?;
        Ok(std::mem::take(datum))
    }
}
