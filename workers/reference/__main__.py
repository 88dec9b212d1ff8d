"""Write every reference page into the folder that is given."""

from __future__ import annotations

import sys
from pathlib import Path

from workers.reference.pages import pages


def main(arguments: list[str]) -> int:
    """Exit code 0 when all pages are written, 2 without exactly one folder."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m workers.reference FOLDER\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
