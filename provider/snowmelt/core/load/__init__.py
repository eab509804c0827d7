"""From a file to COPY: the method, the allow-list of casts, binary and CSV COPY, rejected rows."""
