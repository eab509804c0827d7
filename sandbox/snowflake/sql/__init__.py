"""Statements: what each kind does to the catalog and its rows."""
