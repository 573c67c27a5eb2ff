"""The paths of the service, one file for each kind of thing that they give."""
