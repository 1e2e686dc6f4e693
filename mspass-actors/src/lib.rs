//! MsPASS actors.
