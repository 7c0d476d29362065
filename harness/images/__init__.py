"""Images that a cluster needs: released ones, or made here from modules, wheels and Debian packages."""

from harness.images.ensure import ensure
from harness.images.value import LABEL, Images, Origin, Wish

__all__ = ["LABEL", "Images", "Origin", "Wish", "ensure"]
