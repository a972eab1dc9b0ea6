"""The local viewer: results on their slides in the browser, served by this process alone."""
