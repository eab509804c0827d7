"""What the doctor checks, and what it reports."""
