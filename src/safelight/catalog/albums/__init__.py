"""Albums: photos of one owner in an order of their own."""
