"""Affine maps, views of an image, cuboids in space."""
