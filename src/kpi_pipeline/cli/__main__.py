"""`python -m kpi_pipeline.cli` is `kpi`."""

from kpi_pipeline.cli import main

if __name__ == "__main__":
    main()
