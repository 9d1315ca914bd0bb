"""Changes of photos: texts, dates and turns, and what a new inspection found."""
