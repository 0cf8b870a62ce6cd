"""The world in a browser: watched, stepped and talked to."""
