"""What others do with the same file and the same table; each a program that runs in .venv-bench (one in .venv)."""
