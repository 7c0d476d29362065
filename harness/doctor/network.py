"""Can a workload's network be made: a veth pair, and inbound traffic redirected by nftables?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from harness.doctor import namespaces
from harness.doctor.finding import Finding

# Not imported: where pyroute2 is missing, that is a finding.
_TRY: Final = Path(__file__).with_name("network_try.py")
_MODULES: Final = "sudo modprobe -a veth nf_tables nft_chain_nat nft_redir"


def examine() -> Finding:
    """Make them in new namespaces, which take them away again."""
    possible = [prefix for _, prefix in namespaces.ways() if not namespaces.attempt([*prefix, "true"])]
    if not possible:
        return Finding("network", False, "not tried: there are no namespaces", "see to namespaces first")
    said = ""
    for prefix in possible:
        said = namespaces.attempt([*prefix, sys.executable, "-P", str(_TRY)])
        if not said:
            return Finding("network", True, "a veth pair and an nftables redirect were made in a namespace")
    remedy = "pip install 'autowasm[harness]'" if "ModuleNotFoundError" in said else _MODULES
    return Finding("network", False, said, remedy)
