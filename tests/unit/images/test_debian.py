"""Which mirror apt uses, in each way that its sources can say it."""

from pathlib import Path

import pytest

from harness.images import debian

DEB822 = """Types: deb
# a comment
URIs: http://mirror.example.com/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example.com/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("sources.list.d/debian.sources", DEB822, ["http://mirror.example.com/debian"]),
        ("sources.list", "deb http://a.example/debian bookworm main\n", ["http://a.example/debian"]),
        (
            "sources.list.d/a.list",
            "deb [signed-by=/k.gpg arch=amd64] https://b.example/d bookworm main non-free\n",
            ["https://b.example/d"],
        ),
        ("sources.list", "# deb http://a.example/debian bookworm main\n", []),
        ("sources.list", "deb http://a.example/debian-security bookworm-security main\n", []),
        ("sources.list", "deb-src http://a.example/debian bookworm main\n", []),
        ("sources.list.d/docker.list", "deb https://docker.example/linux/debian bookworm stable\n", []),
        ("sources.list", "deb http://a.example/debian trixie main\n", []),
    ],
)
def test_the_main_archive_of_the_release_is_found(
    tmp_path: Path, name: str, text: str, found: list[str]
) -> None:
    """Only the main archive of the release counts: not security, not another release, not a vendor's."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert list(debian.mirrors(tmp_path, "bookworm")) == found


def test_a_host_without_apt_has_none(tmp_path: Path) -> None:
    """Then Debian's own archive is used."""
    assert list(debian.mirrors(tmp_path / "absent", "bookworm")) == []
