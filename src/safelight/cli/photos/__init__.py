"""Commands about photos: upload, list, edit, delete and render them."""
