"""Engines that restyle an image toward a style vector; see `base.Stylizer` and `registry`."""
