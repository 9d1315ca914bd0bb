"""What a picture's bytes tell of it: first its header, by our own readers, then every pixel.

`limits` and `header` and the four readers (`jpeg`, `png`, `gif`, `webp`) are pure and cheap.
`decoding` loads libvips, and belongs in a child process of the darkroom alone; `capture` reads the
camera's clock. This file imports nothing, so that the server can have `limits` without libvips.
"""
