// Formats: how numbers, differences and counts are written, and safe reading of parsed JSON.
// Needs no other part. A record may lack any field, so every reader accepts a missing value.

const countFormat = new Intl.NumberFormat("en");

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** Return the value if it is an array, else an empty one. */
const listOf = (value) => (Array.isArray(value) ? value : []);

/** Return the value if it is an object and no array, else an empty one. */
const objectOf = (value) =>
  value && typeof value === "object" && !Array.isArray(value) ? value : {};

const formatCount = (count) => countFormat.format(count);

const formatValue = (value) => (isNumber(value) ? value.toFixed(3) : "none");

function formatDifference(difference) {
  if (!isNumber(difference)) return "none";
  return (difference > 0 ? "+" : "") + difference.toFixed(3);
}

/** Return the CSS class of a difference of two metric values; a higher value is better. */
function directionOf(difference) {
  if (difference > 0) return "better";
  return difference < 0 ? "worse" : "";
}

/** Return a count with its noun, for example "1 question" and "1,200 questions". */
const countOf = (count, noun) => `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
