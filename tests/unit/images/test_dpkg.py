"""Debian's package database: which packages an image needs, and which files are theirs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.images import dpkg

STATUS = """Package: iptables
Status: install ok installed
Architecture: amd64
Version: 1.8.9-2
Depends: libc6 (>= 2.34), libxtables12 (= 1.8.9-2) [linux-any],
 libnftnl11:any | libnftnl-other, absent-thing
Description: rules
 of packets.
 .
 Depends: not-a-field

Package: libxtables12
Architecture: amd64
Multi-Arch: same
Version: 1.8.9-2
Pre-Depends: libc6

Package: libnftnl-new
Architecture: amd64
Version: 3
Provides: libnftnl11 (= 3), other

Package: libc6
Architecture: amd64
Version: 2.36
Depends: libgcc-s1

Package: libgcc-s1
Version: 12
Depends: libc6, dpkg

Package: dpkg
Version: 1
Depends: tar

Package: tar
Version: 1
"""


def test_needs_are_followed_to_their_end() -> None:
    """Needs of needs, circles, alternatives, virtual packages and continued lines: each package once."""
    packages = dpkg.parse(STATUS)
    found = dpkg.closure(packages, ["iptables"], skip={"dpkg"})
    assert sorted(found) == ["iptables", "libc6", "libgcc-s1", "libnftnl-new", "libxtables12"]
    assert packages["iptables"].version == "1.8.9-2"


def test_what_is_skipped_brings_nothing_with_it() -> None:
    """A package that is left out takes with it what only it needs."""
    packages = dpkg.parse(STATUS)
    assert {"dpkg", "tar"} <= set(dpkg.closure(packages, ["libc6"]))
    assert not {"dpkg", "tar"} & set(dpkg.closure(packages, ["libc6"], skip={"dpkg"}))


def test_a_wanted_package_that_is_not_there_is_named() -> None:
    """An image must not be made without what it is for."""
    with pytest.raises(LookupError, match="the package nftables is not installed"):
        dpkg.closure(dpkg.parse(STATUS), ["nftables"])


def test_files_are_listed_under_either_name() -> None:
    """Packages that can be installed for several architectures have that in the name of their list."""
    package = dpkg.parse(STATUS)["libxtables12"]
    lists = {"libxtables12:amd64.list": b"/.\n/usr\n/usr/lib/libxtables.so.12\n"}
    assert dpkg.files(package, lists.get) == ["/usr", "/usr/lib/libxtables.so.12"]
    assert dpkg.files(package, {}.get) == []


@given(st.text(alphabet="PackageDepnds: \n\t.,|()[]ab-1", max_size=300))
def test_no_database_is_too_strange(status: str) -> None:
    """Whatever the text is, what is read from it can be asked for what it needs, and the asking ends."""
    packages = dpkg.parse(status)
    for name in packages:
        assert name in dpkg.closure(packages, [name])
