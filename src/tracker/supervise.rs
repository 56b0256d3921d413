//! Drives a source: order, coalescing, gaps, reconnects, reconciles and first-use reads.
