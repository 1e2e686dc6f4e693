//! A check that written markup is well formed, for tests.

/// The names of all elements in order.
///
/// # Panics
/// When tags do not balance, attributes are not quoted, or a bare `<` or `&` stands in text.
pub(crate) fn elements(markup: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = markup;
    while let Some(at) = rest.find('<') {
        check_text(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix("!doctype html>") {
            rest = after;
            continue;
        }
        let end = tag_end(rest);
        let (tag, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "near {}", around(after));
            continue;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{tag}");
        check_attributes(attributes);
        names.push(name.to_owned());
        if name == "style" {
            let close = rest.find("</style>").expect("a closed style element");
            assert!(!rest[..close].contains('<'), "markup in a style element");
            rest = &rest[close + "</style>".len()..];
        } else if !is_empty {
            open.push(name);
        }
    }
    check_text(rest);
    assert!(open.is_empty(), "not closed: {open:?}");
    names
}

/// Where the tag ends: the next `>` that stands outside quotes.
fn tag_end(tag: &str) -> usize {
    let mut quoted = false;
    for (at, byte) in tag.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'<' => panic!("a bare < near {}", around(tag)),
            b'>' if !quoted => return at,
            _ => {}
        }
    }
    panic!("a tag without end: {}", around(tag))
}

fn check_attributes(attributes: &str) {
    let mut rest = attributes.trim();
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").expect("name=\"value\"");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-:".contains(&byte)));
        assert!(!names.contains(&name), "{name} twice in {attributes}");
        names.push(name);
        let (value, after) = value.split_once('"').expect("a closed value");
        check_text(value);
        rest = after.trim_start();
    }
}

fn check_text(text: &str) {
    for (at, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
        assert!(known.iter().any(|name| text[at..].starts_with(name)), "{}", around(&text[at..]));
    }
    let forbidden = |character: char| character.is_control() && character != '\n';
    assert!(!text.contains(forbidden), "a control character in {}", around(text));
}

fn around(text: &str) -> String {
    text.chars().take(60).collect()
}

#[test]
fn the_check_itself_finds_faults() {
    assert_eq!(elements("<a b=\"1 > 0\"><c/>x &amp; y</a>"), ["a", "c"]);
    let bad =
        ["<a>", "<a></b>", "</a>", "<a b=c></a>", "a & b", "<a", "<a b=\"1\" b=\"2\"/>", "<<a>"];
    for markup in bad {
        assert!(std::panic::catch_unwind(|| elements(markup)).is_err(), "{markup}");
    }
}
