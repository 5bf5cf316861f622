// Alignment: marks the words of each of two answers that the other does not have at this place.
// Needs no other part.

// The table of the alignment has as many cells as the product of the two lengths.
const LARGEST_ALIGNMENT = 4e6;

/**
 * Return the marks of two texts: {ranges, otherRanges, note}.
 *
 * A range is [start, end] of the characters that are marked; `note` is a sentence about the marks.
 */
function alignedTexts(text, otherText) {
  if (text === otherText) {
    const note = text ? "The two answers are the same, word for word." : "";
    return { ranges: [], otherRanges: [], note };
  }
  const words = wordsOf(text), otherWords = wordsOf(otherText);
  const start = commonStart(words, otherWords);
  const end = commonEnd(words, otherWords, start);
  const isShared = sharedEnds(words, start, end);
  const isOtherShared = sharedEnds(otherWords, start, end);
  const middle = words.slice(start, words.length - end);
  const otherMiddle = otherWords.slice(start, otherWords.length - end);
  const canAlign = middle.length * otherMiddle.length <= LARGEST_ALIGNMENT;
  if (canAlign) {
    for (const [wordIndex, otherIndex] of commonSubsequence(middle, otherMiddle)) {
      isShared[start + wordIndex] = 1;
      isOtherShared[start + otherIndex] = 1;
    }
  }
  return {
    ranges: markedRanges(words, isShared),
    otherRanges: markedRanges(otherWords, isOtherShared),
    note: canAlign
      ? "Marked: words that the other answer does not have at this place."
      : "Marked: where the two differ, from the first to the last word; they are too long to be " +
        "aligned word for word.",
  };
}

/** Split a text into words and the white space between them; joined they are the text again. */
const wordsOf = (text) => text.match(/\s+|[^\s]+/g) || [];

/** Count the equal words at the start. */
function commonStart(words, otherWords) {
  const most = Math.min(words.length, otherWords.length);
  let count = 0;
  while (count < most && words[count] === otherWords[count]) count++;
  return count;
}

/** Count the equal words at the end, without the `start` words of commonStart(). */
function commonEnd(words, otherWords, start) {
  const most = Math.min(words.length, otherWords.length) - start;
  let count = 0;
  while (count < most && words.at(-1 - count) === otherWords.at(-1 - count)) count++;
  return count;
}

/** Return for each word 1 if it is one of the shared words at the start and the end, else 0. */
const sharedEnds = (words, start, end) =>
  new Uint8Array(words.length).fill(1, 0, start).fill(1, words.length - end);

/** Return the pairs of indexes of a longest common subsequence of two lists of words. */
function commonSubsequence(words, otherWords) {
  const width = otherWords.length + 1;
  // lengths[i * width + j]: of a longest one of the words from i on and the other words from j on.
  const lengths = new Uint16Array((words.length + 1) * width);
  for (let i = words.length - 1; i >= 0; i--) {
    for (let j = otherWords.length - 1; j >= 0; j--) {
      lengths[i * width + j] = words[i] === otherWords[j]
        ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  const pairs = [];
  let i = 0, j = 0;
  while (i < words.length && j < otherWords.length) {
    if (words[i] === otherWords[j]) pairs.push([i++, j++]);
    else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++;
    else j++;
  }
  return pairs;
}

/** Return the ranges of characters of the words that are not shared: one for each run of them. */
function markedRanges(words, isShared) {
  // White space between two marked words is marked with them.
  const joinsMarked = (index) =>
    !words[index].trim() && index + 1 < words.length && !isShared[index + 1];
  const ranges = [];
  let from = 0, position = 0;
  while (from < words.length) {
    const isMarked = !isShared[from];
    let to = from;
    while (to < words.length
      && (isShared[to] === isShared[from] || (isMarked && joinsMarked(to)))) to++;
    const text = words.slice(from, to).join("");
    if (isMarked && text.trim()) ranges.push([position, position + text.length]);
    position += text.length;
    from = to;
  }
  return ranges;
}

/** Return a text as strings and <mark> elements. */
function markedNodes(text, ranges) {
  const nodes = [];
  let position = 0;
  for (const [start, end] of ranges) {
    if (start > position) nodes.push(text.slice(position, start));
    nodes.push(element("mark", {}, text.slice(start, end)));
    position = end;
  }
  if (position < text.length) nodes.push(text.slice(position));
  return nodes;
}

/** Put <mark> elements around the ranges of the text of an element, within the elements that it has. */
function markRanges(root, ranges) {
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const leaves = [];
  while (texts.nextNode()) leaves.push(texts.currentNode);
  let position = 0;
  for (const leaf of leaves) {
    const length = leaf.data.length;
    const own = ranges
      .map(([start, end]) => [Math.max(start - position, 0), Math.min(end - position, length)])
      .filter(([start, end]) => start < end && leaf.data.slice(start, end).trim());
    if (own.length) leaf.replaceWith(...markedNodes(leaf.data, own));
    position += length;
  }
}
