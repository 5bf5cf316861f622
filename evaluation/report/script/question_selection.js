// Selection: the questions that the filter and the search let through, in the chosen order.
// Needs the state of report_state.js, questionIndex and readSearchTexts() of packed_questions.js,
// passesFilter() of question_filters.js and sortRowIndexes() of question_order.js.

let selectedRows = []; // indexes of the rows of questionIndex
let searchTexts = null; // a promise of one text for each row, made by the first search

const searchWords = () => state.search.toLowerCase().split(/\s+/).filter(Boolean);

/** Set selectedRows from the state. */
async function selectQuestions() {
  if (searchWords().length && !searchTexts) searchTexts = readSearchTexts();
  const texts = searchWords().length ? await searchTexts : [];
  // The user may have typed more while the texts were read, so the words are read again.
  const words = searchWords();
  selectedRows = [];
  questionIndex.rows.forEach((row, rowIndex) => {
    if (passesFilter(row) && words.every((word) => texts[rowIndex].includes(word))) {
      selectedRows.push(rowIndex);
    }
  });
  sortRowIndexes(selectedRows, questionIndex.rows);
}
