"""Exports of shop systems: products and orders as their administration pages write them."""
