"""Acoustic indices per chunk: numbers that describe a soundscape as a whole."""
