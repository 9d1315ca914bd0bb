"""Search in titles, descriptions, file names, cameras and dates."""
