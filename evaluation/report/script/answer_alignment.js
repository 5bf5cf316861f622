// Alignment: marks the words of each of two answers that the other does not have at this place.
// Needs element() of page_elements.js.

// The table of the alignment has as many cells as the product of the two lengths.
const LARGEST_ALIGNMENT = 4e6;

/** Return the nodes of each answer and a sentence about the marks. */
function markedAnswers(answer, otherAnswer) {
  if (answer === otherAnswer) {
    const note = answer ? "The two answers are the same, word for word." : "";
    return { nodes: [answer], otherNodes: [otherAnswer], note };
  }
  const words = wordsOf(answer), otherWords = wordsOf(otherAnswer);
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
    nodes: markedNodes(words, isShared),
    otherNodes: markedNodes(otherWords, isOtherShared),
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

/** Return a text as strings and <mark> elements: one mark for each run of words not shared. */
function markedNodes(words, isShared) {
  // White space between two marked words is marked with them.
  const joinsMarked = (index) =>
    !words[index].trim() && index + 1 < words.length && !isShared[index + 1];
  const nodes = [];
  let from = 0;
  while (from < words.length) {
    const isMarked = !isShared[from];
    let to = from;
    while (to < words.length
      && (isShared[to] === isShared[from] || (isMarked && joinsMarked(to)))) to++;
    const text = words.slice(from, to).join("");
    nodes.push(isMarked && text.trim() ? element("mark", {}, text) : text);
    from = to;
  }
  return nodes;
}
