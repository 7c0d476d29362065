"""Which files a program needs, by its imports."""

from pathlib import Path

import pytest

from harness.images import checkout, closure


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A package whose modules import each other in each way that they can."""
    files = {
        "pack/__init__.py": "",
        "pack/main.py": "import json\nfrom pack import values\nfrom pack.inner.deep import name\n",
        "pack/values.py": "def late():\n    import pack.lazy\n",
        "pack/lazy.py": "import pack.main, elsewhere\n",
        "pack/inner/__init__.py": "import pack.ofinner\n",
        "pack/inner/deep.py": "name = 1\n",
        "pack/ofinner.py": "",
        "pack/unrelated.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_imports_are_followed_to_their_end(root: Path) -> None:
    """Modules, packages above them, imports inside functions and circles; not what nobody imports."""
    found = {path.relative_to(root).as_posix() for path in closure.needed(root, ["pack.main"])}
    assert found == {
        "pack/__init__.py",
        "pack/main.py",
        "pack/values.py",
        "pack/lazy.py",
        "pack/inner/__init__.py",
        "pack/inner/deep.py",
        "pack/ofinner.py",
    }


def test_a_program_that_is_not_there_is_named(root: Path) -> None:
    """A mistyped module must not make an image without it."""
    with pytest.raises(FileNotFoundError, match=r"no module pack\.absent"):
        closure.needed(root, ["pack.absent"])


def test_the_apps_need_a_small_part_of_the_harness() -> None:
    """Neither meshes nor the toolchain, a change of which would give every node another image, are in it."""
    names = checkout._apps()
    assert {
        "harness/services/apps/client.py",
        "harness/services/apps/details.py",
        "harness/__init__.py",
    } <= set(names)
    assert not [
        name for name in names if name.startswith(("harness/meshes", "harness/toolchain", "harness/images"))
    ]
