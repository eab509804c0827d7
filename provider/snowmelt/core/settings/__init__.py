"""What is asked for: the configuration file, the trigger form, and the request both become."""
