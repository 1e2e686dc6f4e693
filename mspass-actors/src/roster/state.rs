//! Who belongs to the cluster, numbered by epochs: the scheduler's list and everybody's copy of it.
//! Neither knows of mailboxes or time; `S` is whatever says how to reach a member's store.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// Members at the same time at most.
pub const MEMBERS_MAX: usize = 4096;
/// Changes kept for those whose copy is a little old; who is further behind gets the whole list.
pub const CHANGES_MAX: usize = 1024;

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member<S> {
    /// Its name.
    pub node: String,
    /// Raised each time it starts.
    pub incarnation: u64,
    /// What it does.
    pub roles: Vec<String>,
    /// The executable it runs.
    pub build: String,
    /// Where it listens.
    pub addresses: Vec<String>,
    /// Its db-proxy, if it has one.
    pub store: Option<S>,
}

/// One change of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change<S> {
    /// A node joined, or is there in a new incarnation.
    Joined(Member<S>),
    /// A node left, or its link went down.
    Left {
        /// Its name.
        node: String,
        /// The incarnation that left.
        incarnation: u64,
    },
}

/// What a copy needs to be that of `epoch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta<S> {
    /// The copy that this applies to; `None`: any, the changes are the whole list.
    pub from: Option<u64>,
    /// What it is then.
    pub epoch: u64,
    /// In order.
    pub changes: Vec<Change<S>>,
}

/// A node that may not join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolFault {
    /// A newer incarnation of it is there.
    #[error("node {node} is there in a newer incarnation: this process is an old one and must end")]
    Superseded {
        /// Its name.
        node: String,
    },
    /// The cluster is full.
    #[error("the cluster has {MEMBERS_MAX} nodes and takes no more")]
    Full,
}

/// The scheduler's list.
#[derive(Clone, Debug)]
pub struct Roster<S> {
    epoch: u64,
    members: BTreeMap<String, Member<S>>,
    /// The last changes, one per epoch.
    changes: VecDeque<Change<S>>,
}

impl<S: Clone + PartialEq> Roster<S> {
    /// An empty list; `epoch` is above that of every roster before it in this cluster (the time
    /// in nanoseconds will do), so that copies of an earlier one are told from its own.
    pub fn new(epoch: u64) -> Self {
        Self { epoch, members: BTreeMap::new(), changes: VecDeque::new() }
    }

    /// A node joins, or says again that it is there.
    ///
    /// # Errors
    /// [`EnrolFault`]; nothing changed then.
    pub fn enrol(&mut self, member: Member<S>) -> Result<u64, EnrolFault> {
        match self.members.get(&member.node) {
            Some(known) if known.incarnation > member.incarnation => {
                return Err(EnrolFault::Superseded { node: member.node });
            }
            Some(known) if *known == member => return Ok(self.epoch),
            None if self.members.len() >= MEMBERS_MAX => return Err(EnrolFault::Full),
            _ => {}
        }
        self.members.insert(member.node.clone(), member.clone());
        self.note(Change::Joined(member));
        Ok(self.epoch)
    }

    /// A node left, or its link is down; a newer incarnation of it stays.
    pub fn leave(&mut self, node: &str, incarnation: u64) {
        if self.members.get(node).is_some_and(|known| known.incarnation == incarnation) {
            self.members.remove(node);
            self.note(Change::Left { node: node.to_owned(), incarnation });
        }
    }

    fn note(&mut self, change: Change<S>) {
        self.epoch += 1;
        if self.changes.len() == CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }

    /// What a copy of epoch `from` lacks; `None`: whoever asks has no copy.
    pub fn since(&self, from: Option<u64>) -> Delta<S> {
        let behind = from.and_then(|from| self.epoch.checked_sub(from));
        let behind = behind.and_then(|behind| usize::try_from(behind).ok());
        let epoch = self.epoch;
        match behind.and_then(|behind| self.changes.len().checked_sub(behind)) {
            Some(known) => {
                Delta { from, epoch, changes: self.changes.iter().skip(known).cloned().collect() }
            }
            None => {
                let changes = self.members.values().cloned().map(Change::Joined).collect();
                Delta { from: None, epoch, changes }
            }
        }
    }

    /// The members in order of their names.
    pub fn members(&self) -> impl Iterator<Item = &Member<S>> {
        self.members.values()
    }
}

/// A member's copy of the list.
#[derive(Clone, Debug)]
pub struct RosterCopy<S> {
    epoch: Option<u64>,
    members: BTreeMap<String, Member<S>>,
}

impl<S> Default for RosterCopy<S> {
    fn default() -> Self {
        Self { epoch: None, members: BTreeMap::new() }
    }
}

impl<S: Clone> RosterCopy<S> {
    /// The epoch of this copy, to ask for what came after it.
    pub fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    /// Takes changes in. `false`: some before them are missing (ask with [`RosterCopy::epoch`]), or
    /// they are older than this copy; it is unchanged then.
    pub fn apply(&mut self, delta: Delta<S>) -> bool {
        let newer = self.epoch.is_none_or(|epoch| delta.epoch >= epoch);
        if !newer || (delta.from.is_some() && delta.from != self.epoch) {
            return false;
        }
        if delta.from.is_none() {
            self.members.clear();
        }
        for change in delta.changes {
            match change {
                Change::Joined(member) => {
                    self.members.insert(member.node.clone(), member);
                }
                Change::Left { node, incarnation } => {
                    let same = |known: &Member<S>| known.incarnation == incarnation;
                    if self.members.get(&node).is_some_and(same) {
                        self.members.remove(&node);
                    }
                }
            }
        }
        self.epoch = Some(delta.epoch);
        true
    }

    /// The store that `node` is to use: its own, else that of the first node that has one.
    pub fn store_for(&self, node: &str) -> Option<S> {
        let own = self.members.get(node).and_then(|member| member.store.clone());
        own.or_else(|| self.members.values().find_map(|member| member.store.clone()))
    }

    /// The members in order of their names.
    pub fn members(&self) -> impl Iterator<Item = &Member<S>> {
        self.members.values()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member(node: &str, incarnation: u64, store: Option<u32>) -> Member<u32> {
        let (node, build) = (node.to_owned(), "b".to_owned());
        Member { node, incarnation, roles: Vec::new(), build, addresses: Vec::new(), store }
    }

    #[test]
    fn an_old_incarnation_neither_joins_nor_takes_the_new_one_away() {
        let mut roster = Roster::new(100);
        assert_eq!(roster.enrol(member("a", 5, None)), Ok(101));
        assert_eq!(roster.enrol(member("a", 5, None)), Ok(101), "said twice, done once");
        let refused = roster.enrol(member("a", 4, None)).unwrap_err();
        assert_eq!(refused, EnrolFault::Superseded { node: "a".into() });
        assert_eq!(roster.enrol(member("a", 6, Some(1))), Ok(102));
        roster.leave("a", 5);
        assert_eq!(roster.members().count(), 1);
        roster.leave("a", 6);
        roster.leave("b", 1);
        assert_eq!((roster.members().count(), roster.since(Some(103)).changes.len()), (0, 0));
    }

    #[test]
    fn a_cluster_has_a_bound() {
        let mut roster = Roster::new(0);
        for number in 0..MEMBERS_MAX {
            roster.enrol(member(&format!("{number}"), 1, None)).unwrap();
        }
        assert_eq!(roster.enrol(member("one more", 1, None)), Err(EnrolFault::Full));
        assert!(roster.enrol(member("7", 2, None)).is_ok(), "who is there may come again");
        assert_eq!(roster.changes.len(), CHANGES_MAX);
        let whole = roster.since(Some(1));
        assert_eq!((whole.from, whole.changes.len()), (None, MEMBERS_MAX));
    }

    #[test]
    fn a_restarted_db_is_found_in_its_new_place() {
        let (mut roster, mut copy) = (Roster::new(7), RosterCopy::default());
        roster.enrol(member("db", 1, Some(1))).unwrap();
        roster.enrol(member("w", 1, None)).unwrap();
        assert!(copy.apply(roster.since(copy.epoch())));
        assert_eq!(copy.store_for("w"), Some(1));
        roster.leave("db", 1);
        assert!(copy.apply(roster.since(copy.epoch())));
        assert_eq!(copy.store_for("w"), None);
        roster.enrol(member("db", 2, Some(2))).unwrap();
        roster.enrol(member("w", 2, Some(9))).unwrap();
        let late = roster.since(Some(7));
        assert!(copy.apply(roster.since(copy.epoch())));
        assert_eq!((copy.store_for("w"), copy.store_for("x")), (Some(9), Some(2)));
        assert!(!copy.apply(late), "changes to another copy are not taken");
        // A scheduler that was restarted begins a new list, and everybody enrols again.
        let mut anew = Roster::new(1000);
        anew.enrol(member("db", 2, Some(3))).unwrap();
        assert!(copy.apply(anew.since(copy.epoch())));
        assert_eq!((copy.members().count(), copy.store_for("w")), (1, Some(3)));
        assert!(!copy.apply(roster.since(None)), "what the old one says is old");
    }

    proptest! {
        #[test]
        fn copies_agree_whenever_they_ask(
            steps in proptest::collection::vec(
                (0u8..6, 0u64..4, any::<bool>(), any::<bool>()),
                0..60,
            )
        ) {
            let mut roster = Roster::new(50);
            let (mut often, mut seldom) = (RosterCopy::default(), RosterCopy::default());
            for (node, incarnation, joins, asks) in steps {
                let name = node.to_string();
                if joins {
                    let _ = roster.enrol(member(&name, incarnation, None));
                } else {
                    roster.leave(&name, incarnation);
                }
                prop_assert!(often.apply(roster.since(often.epoch())));
                if asks {
                    prop_assert!(seldom.apply(roster.since(seldom.epoch())));
                }
            }
            prop_assert!(seldom.apply(roster.since(seldom.epoch())));
            prop_assert!(often.members().eq(roster.members()));
            prop_assert!(seldom.members().eq(roster.members()));
        }
    }
}
