//! MsPASS.
