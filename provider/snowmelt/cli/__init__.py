"""Commands that the provider adds to Airflow's own: `airflow snowmelt …`."""
