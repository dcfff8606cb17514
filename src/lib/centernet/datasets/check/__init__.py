"""A data set looked at before it is trained on, in words and in a picture."""
