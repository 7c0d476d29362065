"""Images that a cluster needs: released ones, or made here from modules, wheels and Debian packages."""
