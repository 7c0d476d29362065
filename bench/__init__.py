"""What is published about speed: each figure beside a peer, or beside its target, in the same run."""
