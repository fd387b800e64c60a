"""Why a path is broken: causes with evidence and a fix, computed from facts and a path alone."""
