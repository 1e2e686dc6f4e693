//! Pure functions over slices; the caller owns every buffer.
