"""Load one staged file exactly once, by the way its plan names."""
