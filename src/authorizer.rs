//! Where the read path (check) and the write path (apply) meet.
