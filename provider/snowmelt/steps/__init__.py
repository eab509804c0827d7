"""The steps of a planned run: each reads the stored plan and does its part."""
