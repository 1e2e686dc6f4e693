//! Small pictures of coloured cells as PNG in a `data:` address.
//!
//! Format: PNG specification, third edition (W3C 2025), with the cells stored uncompressed as
//! RFC 1950 and RFC 1951 allow.

/// Colours from little power to much; cell value 0 is transparent, 1 to 255 run through them.
const COLOURS: [[u8; 3]; 9] = [
    [8, 12, 34],
    [24, 26, 82],
    [56, 36, 122],
    [104, 42, 132],
    [154, 52, 120],
    [204, 74, 92],
    [238, 118, 62],
    [250, 176, 66],
    [252, 240, 176],
];

const ADDRESS: &str = "data:image/png;base64,";

/// The address of a picture of `rows` x `columns` cells, the top row first; `cells` holds row after
/// row. Value 0 is transparent, 1 the dark end of the colours and 255 the light end.
pub(crate) fn encode(cells: &[u8], columns: u32) -> String {
    let width = columns.max(1) as usize;
    let rows = cells.len() / width;
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::with_capacity(13);
    header.extend((width as u32).to_be_bytes());
    header.extend((rows as u32).to_be_bytes());
    header.extend([8, 3, 0, 0, 0]);
    chunk(&mut file, b"IHDR", &header);
    chunk(&mut file, b"PLTE", &palette());
    chunk(&mut file, b"tRNS", &[0]);
    let mut lines = Vec::with_capacity(rows * (width + 1));
    for row in cells.chunks_exact(width) {
        lines.push(0);
        lines.extend_from_slice(row);
    }
    chunk(&mut file, b"IDAT", &stored(&lines));
    chunk(&mut file, b"IEND", &[]);
    format!("{ADDRESS}{}", base64(&file))
}

/// The address of a picture of all colours, light end at the top.
pub(crate) fn colour_scale() -> String {
    let cells: Vec<u8> = (1..=64u8).rev().map(|step| step.saturating_mul(4)).collect();
    encode(&cells, 1)
}

/// Whether the text is the address of a picture as written here, and nothing else.
pub(crate) fn is_address(text: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    text.strip_prefix(ADDRESS).is_some_and(|letter| letter.bytes().all(letters))
}

fn palette() -> Vec<u8> {
    let mut colours = vec![0; 3];
    for step in 0..255u32 {
        let place = step * (COLOURS.len() as u32 - 1);
        let (from, part) = ((place / 254) as usize, place % 254);
        let to = (from + 1).min(COLOURS.len() - 1);
        for (a, b) in COLOURS[from].into_iter().zip(COLOURS[to]) {
            let mixed = u32::from(a) * (254 - part) + u32::from(b) * part;
            colours.push((mixed / 254) as u8);
        }
    }
    colours
}

fn chunk(file: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    file.extend((content.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(name);
    file.extend(content);
    let check = crc32(&file[start..]);
    file.extend(check.to_be_bytes());
}

/// A zlib stream of stored blocks.
fn stored(content: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let blocks = content.len().div_ceil(0xFFFF).max(1);
    for number in 0..blocks {
        let block = &content[number * 0xFFFF..content.len().min((number + 1) * 0xFFFF)];
        let length = block.len() as u16;
        out.push(u8::from(number + 1 == blocks));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let (mut a, mut b) = (1u32, 0u32);
    for &byte in content {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    out.extend(((b << 16) | a).to_be_bytes());
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |check: u32, &byte: &u8| {
        let mixed = check ^ u32::from(byte);
        (0..8).fold(mixed, |value, _| (value >> 1) ^ (0xEDB8_8320 & (value & 1).wrapping_neg()))
    };
    !bytes.iter().fold(!0, step)
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |number: usize| u32::from(group.get(number).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place > group.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_and_letters_are_the_known_ones() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(stored(b"Wikipedia")[2 + 5 + 9..], 0x11E6_0398u32.to_be_bytes());
        let texts = ["", "f", "fo", "foo", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(texts, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYmFy"]);
    }

    #[test]
    fn long_content_takes_several_blocks() {
        let content = vec![7; 150_000];
        let stream = stored(&content);
        assert_eq!(stream.len(), 2 + 3 * 5 + content.len() + 4);
        assert_eq!((stream[2], stream[2 + 2 * (5 + 0xFFFF)]), (0, 1));
    }

    #[test]
    fn addresses_are_told_from_other_text() {
        assert!(is_address(&encode(&[1, 2, 3, 4], 2)));
        assert!(!is_address("data:image/png;base64,AA\"onload=\"x"));
        assert!(!is_address("https://example.org/a.png"));
        assert_eq!(palette().len(), 768);
    }
}
