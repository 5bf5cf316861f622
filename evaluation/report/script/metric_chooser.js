// Metric chooser: shows the plots of the chosen metric and hides those of the others.
// Needs no other part.

const metricChooser = document.getElementById("metric");

function showChosenPlots() {
  for (const plot of document.querySelectorAll("figure[data-metric]")) {
    plot.hidden = plot.dataset.metric !== metricChooser.value;
  }
}
