"""The rights that Snowmelt needs: Snowflake grants, IAM policies, PostgreSQL grants.

One model. The set-up's files, the doctor's remedies, the statements in error texts and the tables in the docs are made from it.
"""
