"""Analysis of recorded runs: means, gains of stages, comparisons, headroom, costs."""
