"""The report: results as one page that opens from disk, with charts, tables, a failure atlas and provenance.

`page` puts the page together, and `section` makes the section of each case. The other modules gather the contents:
`curves` the points of the charts, `charts` the specifications of the charts (Vega-Lite), `heat` shaded tables, `rates`
Bjontegaard differences, `atlas` the classes and sizes whose metrics drop first, `sample_losses` the samples that lose
most, `gallery` pictures of these samples, `fidelity` measures of picture quality besides PSNR, and `provenance` the
origin of all results. `page.html`, `page.css` and `page.js` are the template, style and script of the page.
"""
