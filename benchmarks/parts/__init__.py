"""One module for each part of the benchmark: `run(bench)` measures and returns plain values, `render(values)` writes its page."""
