"""Look at the source, plan a run, unload its chunks, and gather what was written."""
