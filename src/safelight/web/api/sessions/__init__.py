"""Sessions over HTTP: the browsers that are signed in."""
