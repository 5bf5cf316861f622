// Controls: form controls with their labels. Needs no other part.

/** Return a control below its label; the control gets the id. */
function labelledControl(id, label, control) {
  control.id = id;
  return element("div", { class: id === "search" ? "field wide" : "field" },
    element("label", { for: id }, label),
    control);
}

/** Return a labelled select box. `options` are [value, text]; `onChange` gets the new value. */
function selectBox(id, label, options, selectedValue, onChange) {
  const optionElements = options.map(([value, text]) =>
    element("option", { value, selected: String(value) === String(selectedValue) }, text));
  const onchange = (event) => onChange(event.target.value);
  return labelledControl(id, label, element("select", { onchange }, optionElements));
}
