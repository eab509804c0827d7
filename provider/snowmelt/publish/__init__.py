"""From a loaded staging table to the target's rows."""
