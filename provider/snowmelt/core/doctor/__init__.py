"""The doctor's knowledge: what is checked, what is right, what is wrong, and the SQL or policy that mends it."""
