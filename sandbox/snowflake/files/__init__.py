"""Files on S3: stages, integrations, formats, COPY INTO a location and INTO a table."""
