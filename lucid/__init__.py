"""Multi-label ranking margin loss, exact and near-linear, and what research code needs around it."""
