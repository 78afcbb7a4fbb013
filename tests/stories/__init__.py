"""Stories in a real browser. A package, so that a world ends with its last story and not with the run."""
