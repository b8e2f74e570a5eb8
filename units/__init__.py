"""Administrative units and their succession, offices and their opening hours."""
