"""Commands for operators: the database, jobs, the access token, and what is wrong."""
