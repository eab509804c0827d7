"""Whether both sides hold the same: counts, canonical texts, fingerprints, and what differs."""
