"""A project's app with models of every odd kind, for advice as Django code. Installed by the tests that need it."""
