"""The comparison of source and target: the same canonical form of every value, hashed by both databases."""
