"""Before the system goes: all its filters leave the mesh, and its controllers do not bring them back."""
