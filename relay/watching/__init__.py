"""How things stand: one snapshot, what of it needs a person, who is told; `relay status` and alerts read the same."""
