//! Batches and lookups of blocks with data, against peers that have it, withhold it, or lie about it.
