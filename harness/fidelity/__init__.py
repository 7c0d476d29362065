"""Is the simulator right? The same modules and requests through it and through real Envoys, and every difference."""
