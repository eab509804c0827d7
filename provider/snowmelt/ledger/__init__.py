"""The ledger: its tables in the target database, and every statement on them."""
