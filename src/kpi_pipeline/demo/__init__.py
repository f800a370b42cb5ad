"""The demonstration: a simulated company, run by the project's own DAGs to its mails."""
