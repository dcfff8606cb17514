"""What travels between the parts: objects, masks, detections."""
