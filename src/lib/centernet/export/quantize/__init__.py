"""Post-training quantisation of exported ONNX files to 8 bits."""
