"""One grammar a language."""
