"""The doctor's checks, over sessions that are passed in. Nothing here changes more than it removes again."""
