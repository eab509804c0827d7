"""Types, names and columns: the type table and all that is made from it."""
