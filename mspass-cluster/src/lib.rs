//! MsPASS cluster.
