//! Rust text as tokens: enough to see names and paths, blind to comments and literals.

/// A name or a punctuation mark.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
    /// Inside an item marked `#[cfg(test)]` or `#[test]`.
    pub(crate) test: bool,
}

/// A path as written (`a::b::c`), or one leaf of a `use` tree.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PathName {
    pub(crate) parts: Vec<String>,
    pub(crate) line: usize,
    pub(crate) test: bool,
}

impl PathName {
    /// Whether these parts follow each other somewhere in the path.
    pub(crate) fn has(&self, parts: &[&str]) -> bool {
        self.parts.windows(parts.len()).any(|window| window.iter().eq(parts))
    }
}

/// The tokens of one file.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) tokens: Vec<Token>,
    /// Comments with their lines.
    pub(crate) comments: Vec<(usize, String)>,
}

impl Source {
    pub(crate) fn parse(text: &str) -> Self {
        let mut lexer = Lexer { rest: text, line: 1, tokens: Vec::new(), comments: Vec::new() };
        while lexer.step() {}
        let mut tokens = lexer.tokens;
        mark_tests(&mut tokens);
        Self { tokens, comments: lexer.comments }
    }

    /// Places where these tokens follow each other.
    pub(crate) fn sequences<'a>(
        &'a self,
        texts: &'a [&str],
    ) -> impl Iterator<Item = &'a [Token]> + 'a {
        self.tokens
            .windows(texts.len())
            .filter(move |tokens| tokens.iter().map(|token| &token.text).eq(texts))
    }

    /// Every path, those of `use` trees spelled out.
    pub(crate) fn paths(&self) -> Vec<PathName> {
        let mut paths = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            if self.tokens[at].text == "use" {
                at = self.use_tree(at + 1, &[], &mut paths);
            } else if is_name(&self.tokens[at].text) {
                let mut parts = vec![self.tokens[at].text.clone()];
                let (line, test) = (self.tokens[at].line, self.tokens[at].test);
                while self.text(at + 1) == "::" && is_name(self.text(at + 2)) {
                    parts.push(self.tokens[at + 2].text.clone());
                    at += 2;
                }
                paths.push(PathName { parts, line, test });
                at += 1;
            } else {
                at += 1;
            }
        }
        paths
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    /// Reads one branch of a `use` tree and returns where it ends.
    fn use_tree(&self, mut at: usize, stem: &[String], paths: &mut Vec<PathName>) -> usize {
        let mut parts = stem.to_vec();
        loop {
            match self.text(at) {
                "::" => at += 1,
                "{" => {
                    at += 1;
                    while !matches!(self.text(at), "}" | "") {
                        let start = at;
                        at = self.use_tree(at, &parts, paths);
                        at += usize::from(self.text(at) == "," || at == start);
                    }
                    return at + 1;
                }
                name if (is_name(name) || name == "*") && name != "as" => {
                    parts.push(name.to_owned());
                    at += 1;
                }
                end => {
                    at += if end == "as" { 2 } else { 0 };
                    let token = &self.tokens[at.min(self.tokens.len()) - 1];
                    paths.push(PathName { parts, line: token.line, test: token.test });
                    return at;
                }
            }
        }
    }
}

pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token>,
    comments: Vec<(usize, String)>,
}

impl<'a> Lexer<'a> {
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    fn step(&mut self) -> bool {
        let rest = self.rest;
        let Some(first) = rest.chars().next() else { return false };
        let line = self.line;
        if rest.starts_with("//") {
            let comment = self.take(rest.find('\n').unwrap_or(rest.len()));
            self.comments.push((line, comment.to_owned()));
        } else if rest.starts_with("/*") {
            let comment = self.take(block_comment(rest));
            self.comments.push((line, comment.to_owned()));
        } else if let Some(length) = string_literal(rest).or_else(|| char_literal(rest)) {
            self.take(length);
        } else if first == '\'' {
            self.take(1); // a lifetime: its name follows as a token
        } else if first.is_alphanumeric() || first == '_' {
            let raw = if rest.starts_with("r#") { 2 } else { 0 };
            let end = rest[raw..].find(|c: char| !c.is_alphanumeric() && c != '_');
            let word = self.take(end.map_or(rest.len(), |end| raw + end));
            if !first.is_ascii_digit() {
                self.push(&word[raw..], line);
            }
        } else if first.is_whitespace() {
            self.take(first.len_utf8());
        } else {
            let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            let mark = self.take(length);
            self.push(mark, line);
        }
        true
    }

    fn push(&mut self, text: &str, line: usize) {
        self.tokens.push(Token { text: text.to_owned(), line, test: false });
    }
}

/// Length of the block comment that `text` starts with; comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            match text[at..].chars().next() {
                Some(c) => at += c.len_utf8(),
                None => return at,
            }
        }
    }
}

/// Length of the string literal that `text` starts with, of any kind.
fn string_literal(text: &str) -> Option<usize> {
    let prefix = text.find(|c: char| !matches!(c, 'b' | 'c' | 'r')).filter(|&length| length < 3)?;
    let hashes = text[prefix..].find(|c: char| c != '#')?;
    let open = prefix + hashes + 1;
    if !text[prefix + hashes..].starts_with('"') {
        return None;
    }
    if text[..prefix].ends_with('r') {
        let close = format!("\"{}", "#".repeat(hashes));
        return Some(text[open..].find(&close).map_or(text.len(), |at| open + at + close.len()));
    }
    if hashes > 0 {
        return None;
    }
    let mut escaped = false;
    for (at, c) in text[open..].char_indices() {
        match c {
            '"' if !escaped => return Some(open + at + 1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Some(text.len())
}

/// Length of the character literal that `text` starts with; `None` for a lifetime.
fn char_literal(text: &str) -> Option<usize> {
    let body = text.strip_prefix("b'").or_else(|| text.strip_prefix('\''))?;
    let open = text.len() - body.len();
    let first = body.chars().next()?;
    if first == '\\' {
        let after = 1 + body[1..].chars().next()?.len_utf8();
        return Some(open + after + body[after..].find('\'')? + 1);
    }
    body[first.len_utf8()..].starts_with('\'').then_some(open + first.len_utf8() + 1)
}

/// Marks the items under `#[cfg(test)]` (also within `all(...)`) and `#[test]`.
fn mark_tests(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        let Some(end) = test_attribute(&tokens[at..]).map(|length| at + length) else {
            at += 1;
            continue;
        };
        let mut depth = 0_usize;
        let stop = tokens[end..].iter().position(|token| {
            match token.text.as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && matches!(token.text.as_str(), "}" | ";")
        });
        let stop = stop.map_or(tokens.len(), |offset| end + offset + 1);
        for token in &mut tokens[at..stop] {
            token.test = true;
        }
        at = stop;
    }
}

/// Length of the attribute that the tokens start with, if it marks a test.
fn test_attribute(tokens: &[Token]) -> Option<usize> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    if text(0) != "#" || text(1) != "[" {
        return None;
    }
    let close = 1 + tokens.iter().position(|token| token.text == "]")?;
    let names = &tokens[2..close];
    let negated = names.iter().any(|token| token.text == "not");
    let marks = text(2) == "test" && text(3) == "]"
        || text(2) == "cfg" && !negated && names.iter().any(|token| token.text == "test");
    marks.then_some(close)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Source::parse(text).tokens.into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let text =
            "a /* b /* c */ d */ e // f\ng \"h \\\" i\" r#\"j\"k\"# b'l' '\\'' 'm' &'n 1_u8 b\"o\"";
        assert_eq!(words(text), ["a", "e", "g", "&", "n"]);
    }

    #[test]
    fn lines_are_counted_through_literals() {
        let source = Source::parse("\"a\nb\"\nc /* \n */ d");
        assert_eq!(source.tokens.iter().map(|token| token.line).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn names_that_begin_like_literals_are_names() {
        assert_eq!(
            words("b r br c r#type crate b'x' 'static"),
            ["b", "r", "br", "c", "type", "crate", "static"]
        );
    }

    #[test]
    fn a_use_tree_is_spelled_out() {
        let source =
            Source::parse("use std::{fs, io::{self, Read as R}, thread::*}; x::y::<z::A>()");
        let paths = source.paths().into_iter().map(|path| path.parts.join("::"));
        assert_eq!(
            paths.collect::<Vec<_>>(),
            ["std::fs", "std::io::self", "std::io::Read", "std::thread::*", "x::y", "z::A"]
        );
    }

    #[test]
    fn test_items_are_marked_and_nothing_else() {
        let text = "fn a() {} #[cfg(test)] mod tests { fn b() {} } fn c() {} #[test] fn d() {} \
                    #[cfg(not(test))] fn e() {} #[cfg(all(test, unix))] use f::g; fn h() {}";
        let source = Source::parse(text);
        let test_names = ["b", "d", "f", "g"];
        for token in source.tokens.iter().filter(|token| token.text.len() == 1) {
            if is_name(&token.text) {
                assert_eq!(token.test, test_names.contains(&token.text.as_str()), "{token:?}");
            }
        }
    }
}
