// Differences: how differences of metric values are written. Needs no other part.

function formatDifference(difference) {
  if (!isNumber(difference)) return "none";
  return (difference > 0 ? "+" : "") + difference.toFixed(3);
}

/** Return the CSS class of a difference of two metric values; a higher value is better. */
function directionOf(difference) {
  if (difference > 0) return "better";
  return difference < 0 ? "worse" : "";
}
