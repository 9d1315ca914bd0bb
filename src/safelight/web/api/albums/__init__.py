"""The API of albums."""
