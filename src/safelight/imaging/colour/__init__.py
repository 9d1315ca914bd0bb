"""Colour that a file describes by numbers instead of an ICC profile, and its conversion to sRGB."""
