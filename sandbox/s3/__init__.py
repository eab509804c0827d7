"""The S3 stand-in: moto's server behind a layer that checks signatures and rights and serves reads fast."""
