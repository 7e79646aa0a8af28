"""The service: database, jobs, REST API, client and command line."""
