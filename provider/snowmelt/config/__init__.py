"""The configuration file, the trigger form, and the request of a run that both end in. Pure: no Airflow, no driver."""
