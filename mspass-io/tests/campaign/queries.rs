//! Random documents and queries, put to several stores that must answer alike.
//!
//! A round draws documents and indexes, hands them to all stores, and asks each a number of
//! queries: comparison, logical, element, array and regular-expression operators over dotted paths,
//! with sort, projection, skip and limit. Answers are compared bit for bit; where one store refuses
//! a query, all must. Every query is drawn from the seed and its own number.

use bson::oid::ObjectId;
use bson::{Binary, Bson, DateTime, Document, doc};
use mspass_io::store::{DocumentStore, Find};

/// Documents of a round.
const DOCUMENTS: usize = 40;

/// Queries of a round.
const QUERIES: usize = 250;

/// Differences that are told whole.
const TOLD_MAX: usize = 10;

/// What came out.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Queries asked.
    pub(crate) queries: usize,
    /// Those that found something.
    pub(crate) found: usize,
    /// Those that all stores refused.
    pub(crate) refused: usize,
    /// Queries with different answers; the first of them are told.
    pub(crate) different: usize,
    /// What differed.
    pub(crate) told: Vec<String>,
}

/// A store and what to call it.
pub(crate) type Named<'s> = (&'static str, &'s dyn DocumentStore);

/// Puts `count` queries to all of `stores`, whose collection `queries` this overwrites.
///
/// # Errors
/// Where a store fails to take the documents.
pub(crate) fn campaign(
    stores: &[Named<'_>],
    count: usize,
    seed: u64,
    progress: &mut dyn FnMut(usize),
) -> Result<Summary, String> {
    let mut summary = Summary::default();
    let mut round = 0;
    while summary.queries < count {
        let mut random = Random::new(seed, round);
        prepare(stores, &mut random)?;
        for number in 0..QUERIES.min(count - summary.queries) {
            let mut random = Random::new(seed, (round << 32) + 1 + number as u64);
            ask(stores, &random.find(), (seed, round, number), &mut summary);
        }
        progress(summary.queries);
        round += 1;
    }
    Ok(summary)
}

const COLLECTION: &str = "queries";

fn prepare(stores: &[Named<'_>], random: &mut Random) -> Result<(), String> {
    let documents: Vec<Document> = (0..DOCUMENTS).map(|id| random.document(id as i32)).collect();
    for (name, store) in stores {
        let failed = |error: mspass_io::Error| format!("{name}: {error}");
        store.delete(COLLECTION, &doc! {}).map_err(failed)?;
        store.insert(COLLECTION, &documents).map_err(failed)?;
    }
    Ok(())
}

fn ask(stores: &[Named<'_>], find: &Find, at: (u64, u64, usize), summary: &mut Summary) {
    summary.queries += 1;
    let answers: Vec<_> = stores.iter().map(|(_, store)| answer(*store, find)).collect();
    let same = |a: &Answer, b: &Answer| match (a, b) {
        (Ok(a), Ok(b)) => a == b,
        (Err(_), Err(_)) => true,
        _ => false,
    };
    match &answers[0] {
        Ok(found) => summary.found += usize::from(!found.is_empty()),
        Err(_) => summary.refused += 1,
    }
    if answers.iter().all(|answer| same(&answers[0], answer)) {
        return;
    }
    summary.different += 1;
    if summary.told.len() < TOLD_MAX {
        let (seed, round, number) = at;
        let mut told = format!("seed {seed}, round {round}, query {number}: {find:?}");
        for ((name, _), answer) in stores.iter().zip(&answers) {
            told += &format!("\n  {name}: {}", shown(answer));
        }
        summary.told.push(told);
    }
}

type Answer = Result<Vec<Vec<u8>>, String>;

/// The documents as bytes, in a fixed order where the query asks for none.
fn answer(store: &dyn DocumentStore, find: &Find) -> Answer {
    let found = store.find(COLLECTION, find).map_err(|error| error.to_string())?;
    let bytes = found.map(|document| {
        let document = document.map_err(|error| error.to_string())?;
        bson::serialize_to_vec(&document).map_err(|error| error.to_string())
    });
    let mut documents: Vec<Vec<u8>> = bytes.collect::<Result<_, _>>()?;
    if find.sort.is_empty() {
        documents.sort_unstable();
    }
    Ok(documents)
}

fn shown(answer: &Answer) -> String {
    match answer {
        Err(error) => format!("refused: {error}"),
        Ok(documents) => {
            let text = |bytes: &Vec<u8>| {
                let document = Document::from_reader(bytes.as_slice());
                document.map_or_else(|error| error.to_string(), |document| document.to_string())
            };
            let documents: Vec<String> = documents.iter().map(text).collect();
            format!("{} documents: {}", documents.len(), documents.join(", "))
        }
    }
}

/// SplitMix64, and what is drawn with it.
struct Random(u64);

impl Random {
    fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.next();
        Self(random.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    fn key(&mut self) -> String {
        self.of(&["a", "a", "b", "b", "c", "d", "0", "1"]).to_owned()
    }

    fn path(&mut self) -> String {
        let parts = self.of(&[1, 1, 1, 1, 2, 2, 3]);
        let parts: Vec<String> = (0..parts).map(|_| self.key()).collect();
        if self.one_in(20) { "_id".to_owned() } else { parts.join(".") }
    }

    fn text(&mut self) -> &'static str {
        self.of(&[
            "", "a", "ab", "abc", "A", "b", "Z", "a\nb", "a\n", "\n", "b\na\n", "10", "a b", "é",
            "É", "a.b", "(a)", "ANMO", "anmo", "a\0b", "_x9", "\r\n",
        ])
    }

    fn number(&mut self) -> Bson {
        match self.below(12) {
            0..=4 => Bson::Int32(self.below(7) as i32 - 2),
            5 => Bson::Int64(self.of(&[0, 1, 3, 1 << 53, (1 << 53) + 1, i64::MAX, i64::MIN, -1])),
            6..=8 => Bson::Double(self.of(&[
                0.0,
                -0.0,
                1.0,
                2.5,
                -1.5,
                3.0,
                f64::INFINITY,
                f64::NEG_INFINITY,
                9.007e15,
                0.1,
                f64::NAN,
                1e300,
            ])),
            9 => Bson::Decimal128(
                self.of(&["1", "0.1", "2.50", "-0", "NaN", "9007199254740993", "1E+400", "3.0"])
                    .parse()
                    .expect("a decimal"),
            ),
            10 => Bson::Int32(self.of(&[i32::MAX, i32::MIN, 100, 12])),
            _ => Bson::Int64(self.below(4) as i64),
        }
    }

    fn scalar(&mut self) -> Bson {
        match self.below(20) {
            0..=7 => self.number(),
            8..=12 => self.text().into(),
            13 | 14 => Bson::Null,
            15 => self.one_in(2).into(),
            16 => ObjectId::from_bytes([self.below(3) as u8; 12]).into(),
            17 => DateTime::from_millis(self.below(3) as i64 - 1).into(),
            18 => self.of(&[Bson::MinKey, Bson::MaxKey]),
            _ => {
                let bytes = vec![self.below(3) as u8; self.below(3)];
                Bson::Binary(Binary { subtype: bson::spec::BinarySubtype::Generic, bytes })
            }
        }
    }

    fn value(&mut self, depth: usize) -> Bson {
        match self.below(if depth == 0 { 6 } else { 10 }) {
            0..=5 => self.scalar(),
            6 | 7 => {
                let count = self.below(4);
                Bson::Array((0..count).map(|_| self.value(depth - 1)).collect())
            }
            _ => Bson::Document(self.fields(depth - 1, 3)),
        }
    }

    fn fields(&mut self, depth: usize, most: usize) -> Document {
        let count = self.below(most + 1);
        (0..count).map(|_| (self.key(), self.value(depth))).collect()
    }

    fn document(&mut self, id: i32) -> Document {
        let mut document = doc! { "_id": id };
        document.extend(self.fields(3, 6));
        document.insert(self.of(&["a", "b"]), self.value(1));
        document
    }

    fn find(&mut self) -> Find {
        let mut find = Find::filter(self.filter(2));
        if self.one_in(2) {
            let count = self.below(3);
            find.sort = (0..count).map(|_| (self.path(), self.of(&[1, -1]).into())).collect();
            find.sort.entry("_id".to_owned()).or_insert(1.into());
            find.skip = self.of(&[0, 0, 1, 5, 100]);
            find.limit = self.of(&[0, 0, 1, 3, 7]);
        }
        if self.one_in(3) {
            find.projection = self.projection();
        }
        find
    }

    fn projection(&mut self) -> Document {
        let flag: Bson = self.of(&[1.into(), 0.into(), true.into(), false.into()]);
        let count = 1 + self.below(2);
        let mut projection: Document = (0..count).map(|_| (self.path(), flag.clone())).collect();
        if self.one_in(4) {
            projection.insert("_id", self.of(&[0, 1]));
        }
        projection
    }

    fn filter(&mut self, depth: usize) -> Document {
        let count = self.of(&[0, 1, 1, 1, 1, 2, 2]);
        let mut filter: Document =
            (0..count).map(|_| (self.path(), self.condition(depth))).collect();
        if depth > 0 && self.one_in(4) {
            let operator = self.of(&["$or", "$and", "$nor"]);
            let count = 1 + self.below(3);
            let branches: Vec<Document> = (0..count).map(|_| self.filter(depth - 1)).collect();
            filter.insert(operator, branches);
        }
        filter
    }

    /// What may stand at a path: a value, a regular expression, or operators.
    fn condition(&mut self, depth: usize) -> Bson {
        match self.below(10) {
            0 => self.value(2),
            1 | 2 => self.scalar(),
            3 => self.regex(),
            _ => {
                let count = self.of(&[1, 1, 1, 2]);
                let mut operators = Document::new();
                (0..count).for_each(|_| operators.extend(self.operator(depth)));
                operators.into()
            }
        }
    }

    fn operator(&mut self, depth: usize) -> Document {
        let values = |random: &mut Self| -> Vec<Bson> {
            let count = random.below(4);
            (0..count).map(|_| random.value(1)).collect()
        };
        match self.below(20) {
            0..=6 => {
                let operator = self.of(&["$eq", "$gt", "$gte", "$lt", "$lte", "$ne", "$gte"]);
                doc! { operator: if self.one_in(3) { self.value(2) } else { self.scalar() } }
            }
            7 | 8 => doc! { self.of(&["$in", "$nin"]): values(self) },
            9 => {
                let mut values = values(self);
                values.push(self.regex());
                doc! { self.of(&["$in", "$nin", "$all"]): values }
            }
            10 => doc! { "$exists": self.of(&[true, false]) },
            11 => doc! { "$type": self.type_name() },
            12 => doc! { "$type": [self.type_name(), self.type_name()] },
            13 => self.regex_operator(),
            14 => {
                let divisor = self.of(&[1, 2, 3, -2]);
                doc! { "$mod": [divisor, self.below(4) as i32 - 1] }
            }
            15 => doc! { "$size": self.below(4) as i32 },
            16 => doc! { "$all": values(self) },
            17 | 18 if depth > 0 => match self.one_in(2) {
                true => doc! { "$elemMatch": self.operator(depth - 1) },
                false => doc! { "$elemMatch": self.filter(depth - 1) },
            },
            _ if depth > 0 => match self.one_in(3) {
                true => doc! { "$not": self.regex() },
                false => doc! { "$not": self.operator(depth - 1) },
            },
            _ => doc! { "$exists": true },
        }
    }

    fn type_name(&mut self) -> Bson {
        match self.one_in(2) {
            true => self
                .of(&[
                    "double",
                    "string",
                    "object",
                    "array",
                    "binData",
                    "objectId",
                    "bool",
                    "date",
                    "null",
                    "regex",
                    "int",
                    "timestamp",
                    "long",
                    "decimal",
                    "minKey",
                    "maxKey",
                    "number",
                    "undefined",
                ])
                .into(),
            false => self.of(&[1, 2, 3, 4, 7, 8, 9, 10, 16, 18, 19, -1, 127]).into(),
        }
    }

    fn pattern(&mut self) -> &'static str {
        self.of(&[
            "^a",
            "a$",
            "b",
            "^$",
            "^",
            "$",
            "a.b",
            "a\\nb",
            "^b",
            "[a-c]+",
            "[^a]",
            "\\d",
            "\\w\\s",
            "^a|b$",
            "(a|b)c?",
            "\\.",
            "a*",
            "\\n^",
            "^\\n",
            "a{1,2}",
            "\\Aa",
            "b\\z",
            "a\\Z",
            "\\bab?",
            ".",
            ".$",
            "é",
            "^[[:alpha:]]+$",
            "\\x61",
            "(?i)anmo",
            "(?:ab)?$",
            "^.b",
            "\\S+",
            "a +",
            "\\n",
            "(^|a)$",
            "x?^",
            "\\r",
            "^(?:a|\\n)",
            "\\Qa.b\\E",
            "[.]",
            "a?$",
        ])
    }

    fn regex(&mut self) -> Bson {
        let (pattern, options) = (self.pattern(), self.of(&["", "", "i", "m", "s", "im", "x"]));
        let body = serde_json::json!({ "pattern": pattern, "options": options });
        Bson::try_from(serde_json::json!({ "$regularExpression": body })).expect("a pattern")
    }

    fn regex_operator(&mut self) -> Document {
        let mut operator = doc! { "$regex": self.pattern() };
        if self.one_in(2) {
            operator.insert("$options", self.of(&["i", "m", "s", "x", "ims"]));
        }
        operator
    }
}
