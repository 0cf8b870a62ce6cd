"""The pages of the app, a component each."""
