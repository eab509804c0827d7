"""What Airflow gives to the tasks and gets from them: sessions, retries, records, links, triggers, lineage."""
