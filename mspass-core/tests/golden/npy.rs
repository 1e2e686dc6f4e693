//! Reading of NumPy's `.npy` files, format 1.0, little-endian `f64`, C order.

use std::path::Path;

/// The values of a file, whatever its shape.
pub(crate) fn read(path: &Path) -> Result<Vec<f64>, String> {
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let rest = bytes.strip_prefix(b"\x93NUMPY\x01\x00").ok_or("not an .npy file of format 1.0")?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or("no header")?;
    let (header, data) =
        rest.split_at_checked(u16::from_le_bytes(*length).into()).ok_or("header cut off")?;
    let header = std::str::from_utf8(header).map_err(|e| e.to_string())?;
    if !header.contains("'descr': '<f8'") || !header.contains("'fortran_order': False") {
        return Err(format!("not little-endian f64 in C order: {header}"));
    }
    let (values, odd) = data.as_chunks::<8>();
    if !odd.is_empty() || values.len() != points(header).ok_or("no shape")? {
        return Err(format!("{} bytes do not fill the shape: {header}", data.len()));
    }
    Ok(values.iter().map(|v| f64::from_le_bytes(*v)).collect())
}

/// The number of points of the shape in a header.
fn points(header: &str) -> Option<usize> {
    let (_, after) = header.split_once("'shape': (")?;
    let (shape, _) = after.split_once(')')?;
    let lengths = shape.split(',').map(str::trim).filter(|length| !length.is_empty());
    lengths.map(|length| length.parse::<usize>().ok()).product()
}
