"""SDKs are recognised by what their builds leave in a module, and a remedy names their own setting."""

from __future__ import annotations

import pytest

from autowasm.abi import binary, names, remedies, sdk
from harness.sim import vm


def _producers(language: str, tool: str) -> str:
    def text(value: str) -> str:
        return f"\\{len(value):02x}{value}"

    fields = (
        f"{text('language')}\\01{text(language)}{text('')}{text('processed-by')}\\01{text(tool)}{text('1.0')}"
    )
    return f'(@custom "producers" "\\02{fields}")'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_producers("Rust", "rustc"), "rust"),
        (_producers("C99", "TinyGo"), "tinygo"),
        (_producers("Go", "Go cmd/compile"), "go"),
        ('(@custom "go:buildid" "x")', "go"),
        ('(@custom "emscripten_metadata" "x")', "cpp"),
        ('(import "env" "abort" (func (param i32 i32 i32 i32)))', "assemblyscript"),
        ('(func (export "__new")) (func (export "__pin"))', "assemblyscript"),
        ('(func (export "__alloc")) (func (export "__retain"))', "assemblyscript"),
        ("", None),
    ],
)
def test_recognised(text: str, expected: str | None) -> None:
    """Each fingerprint leads to its SDK, and none to none."""
    module = vm.assemble(f"(module {text})")
    assert sdk.recognise(module, binary.parse(module)) == expected


def test_producers_are_read() -> None:
    """The producers section gives fields with their values."""
    module = vm.assemble(f"(module {_producers('Rust', 'rustc')})")
    assert names.producers(module, binary.parse(module)) == {
        "language": ("Rust",),
        "processed-by": ("rustc",),
    }


def test_broken_producers_are_nobodys_fault() -> None:
    """A producers section that breaks off is as good as none."""
    module = vm.assemble('(module (@custom "producers" "\\09\\ff"))')
    assert names.producers(module, binary.parse(module)) == {}


def test_remedy_of_an_sdk() -> None:
    """A rule's remedy is the SDK's own where it has one, else the general one."""
    assert "cdylib" in remedies.of("abi-version", "rust")
    assert remedies.of("abi-version", "unknown") == remedies.of("abi-version", None)
    assert remedies.of("no-such-rule", None) == ""
