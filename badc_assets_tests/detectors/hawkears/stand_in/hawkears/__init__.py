"""HawkEars. Importing it prints, as some of its libraries do."""

print("a greeting that is no JSON")

__version__ = "2.3.0"
