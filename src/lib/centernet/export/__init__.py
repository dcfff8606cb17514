"""Networks with their decoding as one file for other programs, and such files run here."""
