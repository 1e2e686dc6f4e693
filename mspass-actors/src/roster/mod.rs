//! Roster: who belongs to the cluster and where each store is to be found.

mod state;

pub use state::{CHANGES_MAX, Change, Delta, EnrolFault, MEMBERS_MAX, Member, Roster, RosterCopy};
