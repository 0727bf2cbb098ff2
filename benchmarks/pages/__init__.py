"""The parts as text: each takes what measure/ measures, and returns Markdown."""
