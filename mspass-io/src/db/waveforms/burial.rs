//! What becomes of the dead: buried with their logs, cremated, or mummified.

use bson::doc;
use bson::oid::ObjectId;
use mspass_core::Life;
use mspass_core::series::Ensemble;

use super::save::{Outcome, SaveOptions};
use super::{Waveforms, object_id_of};
use crate::db::collection::{ABORTIONS, CEMETERY};
use crate::db::waveform::Waveform;
use crate::db::{metadata_document, remains};
use crate::error::Result;

impl Waveforms {
    /// Records a datum that is not live: in `abortions` where it never came to life, in `cemetery`
    /// else. Returns the `_id` of the record.
    ///
    /// # Errors
    /// What the store says.
    pub fn bury<T: Waveform>(&self, datum: &T, options: &SaveOptions) -> Result<ObjectId> {
        let id = ObjectId::new();
        let mut extra = options.extra.clone();
        let mut tombstone = metadata_document(datum.metadata());
        let tag = options.data_tag.as_deref().or(tombstone.get_str("data_tag").ok());
        if let Some(tag) = tag {
            extra.insert("data_tag", tag);
        }
        let collection = if datum.life() == Life::Aborted {
            ABORTIONS
        } else {
            tombstone.extend(datum.header());
            if let Some(before) = object_id_of(datum.metadata(), "_id") {
                extra.insert(format!("{}_id", T::COLLECTION), before);
            }
            CEMETERY
        };
        let kind = remains::type_name(T::KIND, datum.life());
        let mut document = doc! { "_id": id, "type": kind, "tombstone": tombstone };
        document.insert("logdata", remains::log_documents(datum.log(), options.job_id));
        document.extend(extra);
        self.database.documents.insert(collection, &[document])?;
        Ok(id)
    }

    /// Takes the dead members out of an ensemble and buries them; the `_id`s of their records.
    ///
    /// # Errors
    /// As [`Waveforms::bury`]; nothing is taken out then.
    pub fn bury_dead<T: Waveform>(
        &self,
        ensemble: &mut Ensemble<T>,
        options: &SaveOptions,
    ) -> Result<Vec<ObjectId>> {
        let dead = ensemble.members.iter().filter(|member| member.life() != Life::Live);
        let buried = dead.map(|member| self.bury(member, options)).collect::<Result<_>>()?;
        cremate(ensemble);
        Ok(buried)
    }

    pub(super) fn lay_to_rest<T: Waveform>(
        &self,
        datum: &mut T,
        options: &SaveOptions,
    ) -> Result<Outcome> {
        if options.cremate {
            return Ok(Outcome::Cremated);
        }
        self.bury(datum, options).map(Outcome::Buried)
    }
}

/// Takes the dead members out of an ensemble without a trace and returns how many there were.
pub fn cremate<T: Waveform>(ensemble: &mut Ensemble<T>) -> usize {
    let count = ensemble.members.len();
    ensemble.members.retain(|member| member.life() == Life::Live);
    count - ensemble.members.len()
}

/// Frees the samples of a dead datum; metadata, log and history stay. A live one is left alone.
pub fn mummify<T: Waveform>(datum: &mut T) {
    if datum.life() != Life::Live {
        *datum = datum.headstone();
    }
}
