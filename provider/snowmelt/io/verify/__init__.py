"""Count and fingerprint both sides."""
