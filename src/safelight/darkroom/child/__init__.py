"""The untrusted side: the program that decodes photos."""
