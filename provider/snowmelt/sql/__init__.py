"""Names, literals and predicates of both databases. Pure."""
