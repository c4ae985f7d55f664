"""Writes the JSON of the dashboards beside this file: `python -m dashboards.grafana.generate`."""

import json
from pathlib import Path

from dashboards.grafana.operations_now import operations_now
from dashboards.grafana.panels import Json


def files() -> dict[Path, str]:
    """The files and their content."""
    return {Path(__file__).with_name("operations_now.json"): text_of(operations_now())}


def text_of(dashboard: Json) -> str:
    """A dashboard in the form that is committed."""
    return json.dumps(dashboard, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all files."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
