"""The harness: brings up a real mesh, runs scenario files against it and reports."""
