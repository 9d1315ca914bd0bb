"""The smaller copies of a photo: which there are, and how one is made.

`presets` is pure and cheap: the ladder, and which of its steps a picture gets. `rendering` loads
libvips, and belongs in a child process of the darkroom alone; `sketch` makes the few bytes that
stand for a picture until it is there. This file imports nothing.
"""
