"""Files that appear whole, one writer at a time, and who still lives: under store and sources."""
