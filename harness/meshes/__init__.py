"""Places where scenarios run: the only modules that know both what can be asked of a mesh and how it is made."""
