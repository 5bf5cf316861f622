// Citations: in the rendered texts of a run, numbers in brackets lead to the passages of the same record.
// Needs questionAddress() and state of report_state.js.

/**
 * Make the citations in the elements of one run's record lead to its passages.
 *
 * renderedText() leaves them without an address, and so they stay where there is no such passage, and in
 * the passages themselves: a post has footnotes of its own.
 */
function linkCitations(nodes) {
  const allOf = (selector) => nodes.flatMap((node) => [...node.querySelectorAll(selector)]);
  const items = new Map(allOf(".passages > li").reverse().map((item) => [item.dataset.passage, item]));
  for (const link of allOf("a.citation:not(.passages *)")) {
    const item = items.get(link.textContent);
    if (!item) continue;
    link.href = questionAddress(state.openRow);
    link.addEventListener("click", (event) => {
      // With a key held, the browser opens the question in another tab.
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      showPassage(item);
    });
  }
}

/** Unfold a passage and what it is in, and move there. */
function showPassage(item) {
  for (let step = item.closest("details"); step; step = step.parentNode.closest("details")) step.open = true;
  const text = item.querySelector("details");
  text.open = true;
  item.scrollIntoView({ block: "start" });
  text.querySelector("summary").focus({ preventScroll: true });
}
