"""What packet filters of nodes do to packets of pods, tunnels and BGP."""
