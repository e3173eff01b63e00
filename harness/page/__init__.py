"""The report: results as one page that opens from disk, with charts, tables, a failure atlas and provenance.

What is where: `page` puts the page together, `section` what it shows of one case, from what the other modules gather: `curves` the points of the charts,
`charts` their drawings (Vega-Lite), `atlas` where models fail first, `slices` and `worst` on which samples, `gallery`
their pictures, `fidelity` measures of the picture beside PSNR, `provenance` where all of it comes from. `page.html`,
`page.css` and `page.js` are the page itself.
"""
