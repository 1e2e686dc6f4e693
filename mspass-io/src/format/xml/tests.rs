use super::*;

fn pull(text: &str) -> Pull<'_> {
    Pull::new("test", text, |namespace| namespace.is_none())
}

fn failure(text: &str) -> String {
    let mut pull = pull(text);
    let read = pull.root("a").and_then(|tag| pull.tree(tag)).and_then(|_| pull.finish());
    read.unwrap_err().to_string()
}

#[test]
fn own_elements_are_read_and_foreign_ones_are_not() {
    let text = "<?xml version='1.0'?><!DOCTYPE a><!-- c --><a k=' v ' xmlns:f='f' f:x='1'>
        <f:b><c/></f:b><b> 1 &lt; <![CDATA[2 & 3]]> &#65;</b><g:d/></a> ";
    let mut pull = pull(text);
    let tag = pull.root("a").unwrap();
    let element = pull.tree(tag).unwrap();
    pull.finish().unwrap();
    assert_eq!(element.attribute("k"), Some("v"));
    assert_eq!(element.attribute("x"), None);
    assert_eq!(element.children.len(), 1);
    assert_eq!(element.children[0].text, "1 < 2 & 3 A");
}

#[test]
fn damage_is_named_with_its_line() {
    assert!(failure("<a>\n<b>\n</a>").contains("line 3"), "{}", failure("<a>\n<b>\n</a>"));
    assert!(failure("<a>\n<b>").contains("ends inside <b>"));
    assert!(failure("<a>\n\n&bomb;</a>").contains("line 3: the entity &bomb;"));
    assert!(failure("<a/><a/>").contains("follows the end"));
    assert!(failure("<b/>").contains("no <a>"));
    assert!(failure("").contains("without <a>"));
    assert!(failure("<a b='1' b='2'/>").contains("line 1"));
}

#[test]
fn entities_do_not_expand() {
    let text = "<!DOCTYPE a [<!ENTITY x 'ha'><!ENTITY y '&x;&x;&x;&x;'>]><a>&y;</a>";
    assert!(failure(text).contains("&y; is none of XML's own"));
    let attribute = "<!DOCTYPE a [<!ENTITY x 'ha'>]><a b='&x;'/>";
    assert!(failure(attribute).contains("line 1"));
}

#[test]
fn bounds_hold() {
    let deep = format!("<a>{}", "<b>".repeat(DEPTH_MAX));
    assert!(failure(&deep).contains("nested deeper than 64"));
    let many = format!("<a>{}</a>", "<b/>".repeat(ELEMENTS_MAX));
    assert!(failure(&many).contains("holds more than"));
    let names: String = (0..=ATTRIBUTES_MAX).map(|n| format!(" a{n}='1'")).collect();
    assert!(failure(&format!("<a{names}/>")).contains("attributes"));
    let long = vec![b' '; DOCUMENT_BYTES_MAX + 1];
    assert!(decode("test", &long).unwrap_err().to_string().contains("split the document"));
    let mut remarks = Remarks::new("");
    (0..REMARKS_MAX + 5).for_each(|number| remarks.note(0, || number.to_string()));
    let remarks = remarks.into_list();
    assert_eq!(remarks.len(), REMARKS_MAX);
    assert!(remarks[REMARKS_MAX - 1].text.contains("left out"));
}

#[test]
fn encodings_are_understood() {
    assert_eq!(decode("test", b"\xEF\xBB\xBF<a/>").unwrap(), "<a/>");
    assert_eq!(decode("test", b"\xFF\xFE<\0a\0").unwrap(), "<a");
    assert_eq!(decode("test", b"\xFE\xFF\0<\0a").unwrap(), "<a");
    let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xE9</a>";
    assert!(decode("test", latin).unwrap().ends_with("<a>\u{e9}</a>"));
    let error = decode("test", b"<a>\n\xE9</a>").unwrap_err().to_string();
    assert!(error.contains("byte 4") && error.contains("line 2"), "{error}");
}

#[test]
fn what_is_written_reads_back() {
    let mut out = Writer::document();
    out.open("a", &[("k", Some("<\"'&>\n\t".to_owned())), ("absent", None)]);
    out.text("b", "x < y & \u{1} ]]> z");
    out.number("c", Some(f64::NAN));
    out.number("d", Some(1.0e300));
    let text = out.finish();
    let mut pull = pull(&text);
    let tag = pull.root("a").unwrap();
    assert_eq!(tag.attributes, [("k".to_owned(), "<\"'&>\n\t".to_owned())]);
    let element = pull.tree(tag).unwrap();
    assert_eq!(element.text_of("b").unwrap(), "x < y &  ]]> z");
    assert!(element.child("c").is_none());
    assert_eq!(element.number_of("d", &mut Remarks::new(&text)), Some(1.0e300));
}
