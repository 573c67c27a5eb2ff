"""Hand-made descriptors of products: color, texture and shape as short vectors that can be compared and named."""
