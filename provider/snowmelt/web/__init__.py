"""The application behind the pages of Snowmelt in Airflow's UI: it reads the ledger and shows it, and changes nothing."""
