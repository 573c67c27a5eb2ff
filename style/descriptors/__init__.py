"""Hand-made descriptors of products: colour, texture and shape as short vectors that can be compared and named."""
