"""Analysis: scores -> answers. docs/statistics.md says what every interval means."""
