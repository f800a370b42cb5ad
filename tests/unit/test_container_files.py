"""The production files are read, not run: containers are not at hand where tests run."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"


def test_compose_has_airflows_four_processes_postgres_and_a_mail_sink() -> None:
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    assert set(services) == {
        "postgres",
        "mail",
        "init",
        "api-server",
        "scheduler",
        "dag-processor",
        "triggerer",
    }
    airflow = {name: services[name] for name in services if name not in ("postgres", "mail")}
    for name, service in airflow.items():
        environment = service["environment"]
        assert environment["KPI_STATE_URL"].startswith("postgresql+psycopg2://"), name
        connection = environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
        assert connection.startswith("postgresql+psycopg2://"), name


def test_images_are_pinned_and_name_no_registry() -> None:
    text = COMPOSE.read_text(encoding="utf-8") + (ROOT / "Dockerfile").read_text(encoding="utf-8")
    images = re.findall(r"^(?:FROM|\s+image:) (\S+)$", text, re.MULTILINE)
    assert len(images) == 4
    for image in images:
        name, _, tag = image.partition(":")
        assert re.match(r"v?\d+\.\d+", tag), image
        assert "." not in name.split("/")[0], f"{image} names a registry"


def test_ports_are_open_on_this_machine_only() -> None:
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_secret_is_in_the_file() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    for name in ("POSTGRES_PASSWORD", "KPI_HASH_KEY", "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET"):
        assert f"${{{name}:?" in text, f"{name} must come from the environment"


def test_what_the_image_copies_is_there() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
