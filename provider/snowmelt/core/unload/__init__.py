"""From a snapshot to files: chunks, the plan, the exact unload SQL, the manifest, batches of files."""
