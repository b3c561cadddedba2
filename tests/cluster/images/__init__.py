"""Container images made on this machine, where no image registry need be reached."""
