"""Real programs as services of a mesh: started, waited for, watched and ended. Nothing here knows a mesh or a verb."""
