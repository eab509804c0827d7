"""Pure: values in, values and SQL out. No Airflow, no boto3, no open connection."""
