"""One reader for each format's header: size, frames and scans, before anything is decoded."""
