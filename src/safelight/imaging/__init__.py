"""Photos: formats, headers, limits, metadata, decoding, and renditions.

`formats`, `limits`, `presets`, `metadata`, `thumbhash` and `headers` are pure Python and cheap.
`decode`, `heic` and `render` load libvips: import them in a decoder process only. This file imports
nothing, so that the server can use the others without libvips.
"""
