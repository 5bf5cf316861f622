// Keyboard: moves in the list and between questions.
// Needs report_state.js, goToNeighbour() of question_view.js and the search of question_tools.js.
// The keys are named to the user by keyboardHelp() of question_list.js.

function onKeyDown(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches("input, select, textarea");
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    searchBox.focus();
    searchBox.select();
  } else if (event.key === "Escape") {
    onEscape(event);
  } else if (event.target === searchBox && ["ArrowDown", "Enter"].includes(event.key)) {
    event.preventDefault();
    searchNow().then(() => focusListRow(0));
  } else if (!isTyping && state.openRow >= 0) {
    onQuestionKey(event);
  } else if (!isTyping) {
    onListKey(event);
  }
}

function onEscape(event) {
  if (event.target === searchBox && searchBox.value) {
    searchBox.value = "";
    searchSoon();
  } else if (state.openRow >= 0) {
    goToList();
  }
}

function onQuestionKey(event) {
  if (event.key === "r") document.getElementById("raw-texts")?.click();
  // There the arrow keys scroll.
  if (event.target.closest(".scroll, .long, pre.code")) return;
  if (event.key === "ArrowLeft") goToNeighbour(-1);
  if (event.key === "ArrowRight") goToNeighbour(1);
}

function onListKey(event) {
  const rows = listRows();
  const current = rows.indexOf(document.activeElement);
  if (current < 0) return;
  const last = rows.length - 1;
  const target = { ArrowDown: current + 1, ArrowUp: current - 1, Home: 0, End: last }[event.key];
  if (target === undefined) return;
  event.preventDefault();
  if (target < 0) searchBox.focus();
  else focusListRow(Math.min(target, last));
}

const listRows = () => [...questionView.querySelectorAll(".list a")];

function focusListRow(position) {
  const row = listRows()[position];
  if (row) row.focus();
}
