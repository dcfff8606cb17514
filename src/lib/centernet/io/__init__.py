"""Files, downloads, archives, images and videos."""
