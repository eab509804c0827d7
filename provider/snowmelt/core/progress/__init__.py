"""How far a run is, and how fast: values, words and plots for logs and pages."""
