"""What the pages show of a run, computed from rows of the ledger. Pure."""
