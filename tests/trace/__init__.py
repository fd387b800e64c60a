"""The path engine on facts made from iproute2's own text."""
