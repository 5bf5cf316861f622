// Passages: the retrieved passages of a record or a step.
// Needs text_boxes.js.

/** Return the ids of the posts that the dataset names as relevant to the record's question. */
const relevantIdsOf = (record) => new Set(listOf(record.relevant_question_ids));

/** Return the passages of a step as a list. */
function passageList(passages, relevantIds) {
  if (!passages.length) return "";
  return element("ol", { class: "passages" },
    passages.map((passage) => passageItem(objectOf(passage), relevantIds)));
}

/**
 * Return a passage as a list item.
 *
 * `inOtherRun` is null, or {isMissing, text}: text says where the other run has this passage.
 */
function passageItem(passage, relevantIds, inOtherRun = null) {
  const isMissing = inOtherRun && inOtherRun.isMissing;
  const title = passage.title || passage.question_id || "passage";
  return element("li", { class: isMissing ? "only" : "", "data-passage": passage.number },
    element("p", {},
      element("span", { class: "number" }, `[${passage.number}]`), " ",
      webLink(passage.url, title), " ",
      element("span", { class: "cost" }, passageFacts(passage)), " ",
      relevantIds.has(passage.question_id)
        ? element("small", { class: "badge outcome-0" }, "named as relevant")
        : "",
      " ",
      inOtherRun
        ? element("small", { class: `badge ${isMissing ? "failed" : ""}` }, inOtherRun.text)
        : ""),
    element("p", { class: "source" }, inlineText(passage.url), " ", inlineText(passage.licence)),
    passageText(passage));
}

/** Return the text of a passage; question_blocks.py cut `left_out` characters off. */
function passageText(passage) {
  const leftOut = passage.left_out || 0;
  const length = (passage.text || "").length + leftOut;
  return element("details", {},
    element("summary", {}, `Text, ${countOf(length, "character")}`),
    markdownBox(passage.text),
    leftOut
      ? element("p", { class: "none" }, `${countOf(leftOut, "character")} more in the journal.`)
      : "");
}

/** Return a run's passages, each with a badge that tells whether the other run's record has it. */
function comparedPassages(record, otherRecord) {
  const passages = listOf(record.passages).map(objectOf);
  if (!passages.length) return element("p", { class: "none" }, "No passages.");
  // Both runs can have different parts of the same post, so the text is part of the key.
  const keyOf = (passage) => `${passage.question_id}\n${passage.text}`;
  const otherPassages = listOf(otherRecord && otherRecord.passages).map(objectOf);
  const otherNumbers = new Map(otherPassages.map((passage) => [keyOf(passage), passage.number]));
  const relevantIds = relevantIdsOf(record);
  return element("ol", { class: "passages" }, passages.map((passage) => {
    const otherNumber = otherNumbers.get(keyOf(passage));
    return passageItem(passage, relevantIds, {
      isMissing: otherNumber === undefined,
      text: otherNumberText(passage.number, otherNumber),
    });
  }));
}

function otherNumberText(number, otherNumber) {
  if (otherNumber === undefined) return "only here";
  return otherNumber === number ? "in both" : `there as [${otherNumber}]`;
}
