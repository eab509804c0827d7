"""What every task of Snowmelt does in the same way: open sessions by Airflow's hooks, fail fast."""
