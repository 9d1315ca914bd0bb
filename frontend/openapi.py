"""Print the API's OpenAPI document, without starting the service."""

import json
import sys

from safelight.library import Library
from safelight.settings import Settings
from safelight.web import create_app


def main() -> None:
    settings = Settings()
    app = create_app(Library.from_settings(settings), settings, token=None)
    json.dump(app.openapi(), sys.stdout)


if __name__ == "__main__":
    main()
