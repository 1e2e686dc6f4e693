//! MsPASS io.
