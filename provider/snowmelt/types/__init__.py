"""The type table, and what is made from it: staged expressions, target types, columns. Pure."""
