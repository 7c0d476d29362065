"""The network: the one place that makes HTTP clients, how long they persist, and what their failures mean."""
