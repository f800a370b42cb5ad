"""`python -m kpi_pipeline.cli` is `kpi`."""

from kpi_pipeline.cli import command

if __name__ == "__main__":
    command()
