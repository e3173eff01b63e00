"use strict";
(() => {
  const DATA = JSON.parse(document.getElementById("data").textContent);
  const SPECS = document.getElementById("specs").textContent;
  const SCALES = { bpp: "log", ratio: "log", kbps: "log", psnr: "linear", ms_ssim: "linear", vmaf: "linear" };
  const WORDS = {
    bpp: "bits per pixel", ratio: "compression ratio (24 bits per pixel over bpp)", kbps: "kbit/s", psnr: "PSNR (dB)",
    ms_ssim: "MS-SSIM", vmaf: "VMAF",
  };
  const INDEX = { value: [0, 1, 2], drop: [3, 4, 5], relative: [3, 4, 5] };
  const number = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(4)).toString());

  // Light and dark

  const button = document.getElementById("theme");
  const prefers = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (document.documentElement.dataset.theme || (prefers.matches ? "dark" : "light")) === "dark";
  function named() {
    button.textContent = dark() ? "Light" : "Dark";
    button.setAttribute("aria-label", dark() ? "Use light colours" : "Use dark colours");
    button.setAttribute("aria-pressed", String(dark()));
  }
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    named();
    redraw();
  });
  prefers.addEventListener("change", () => { named(); redraw(); });
  named();

  function look(wide) {
    const style = getComputedStyle(document.documentElement);
    const [ink, soft, line] = ["--ink", "--soft", "--line"].map((name) => style.getPropertyValue(name).trim());
    const text = { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500 };
    return {
      background: "transparent",
      font: "system-ui, sans-serif",
      axis: { ...text, gridColor: line, domainColor: soft, tickColor: soft },
      legend: { ...text, symbolStrokeColor: soft, labelLimit: 260, orient: "bottom", columns: wide < 500 ? 2 : 4 },
      header: { labelColor: ink, labelFontSize: 13, labelFontWeight: 600 },
      title: { color: ink, anchor: "start", fontSize: 13, fontWeight: 600 },
      view: { stroke: line },
      rule: { color: soft },
    };
  }

  // Drawing

  const drawn = new Map();

  async function draw(figure) {
    const place = figure.querySelector(".plot");
    const made = make(figure);
    drawn.set(figure, true);
    if (typeof made === "string") {
      place.textContent = "";
      const note = document.createElement("p");
      note.textContent = made;
      place.append(note);
      figure.dataset.drawn = "empty";
      return;
    }
    const wide = Math.max(260, place.clientWidth || figure.clientWidth || 600);
    let text = SPECS_OF(made.spec);
    for (const [mark, words] of Object.entries(made.words)) {
      text = text.split(JSON.stringify(mark)).join(JSON.stringify(words));
    }
    if (dark()) text = text.split('"#000000"').join('"#ffffff"');
    const spec = JSON.parse(text);
    spec.datasets = made.datasets;
    spec.description = made.description;
    if (spec.spec) {
      const panels = new Set(made.datasets[spec.data.name].map((row) => row.codec)).size;
      const columns = wide < 700 || panels === 1 ? 1 : 2;
      spec.columns = columns;
      spec.spec.width = Math.max(180, Math.floor((wide - 60) / columns) - 30);
    } else {
      spec.width = wide - 4;
      spec.autosize = { type: "fit-x", contains: "padding" };
      const scale = spec.layer[0].layer ? spec.layer[0].layer : spec.layer;
      for (const one of scale) if (one.encoding && one.encoding.x) one.encoding.x.scale = { ...one.encoding.x.scale, type: made.scale, ...(made.scale === "linear" && { zero: false }) };
    }
    const actions = { export: true, source: false, compiled: false, editor: false };
    const result = await vegaEmbed(place, spec, { renderer: "svg", actions, config: look(wide), downloadFileName: made.file });
    const menu = place.querySelector("summary");
    if (menu) { menu.setAttribute("aria-label", "Save this chart"); menu.setAttribute("title", "Save this chart"); }
    const svg = place.querySelector("svg.marks");
    if (svg) {
      // One image with a description: its parts have no words of their own, and the numbers are in the tables.
      for (const part of svg.querySelectorAll("[role]")) for (const name of ["role", "aria-roledescription", "aria-label"]) part.removeAttribute(name);
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", made.description);
    }
    figure.dataset.drawn = String(result.view.scenegraph().root.items.length);
  }

  const ALL = JSON.parse(SPECS);
  const SPECS_OF = (name) => JSON.stringify(ALL[name]);

  function redraw(section) {
    for (const figure of (section || document).querySelectorAll("figure[data-chart]")) if (drawn.has(figure)) failing(draw(figure), figure);
  }

  function failing(promise, figure) {
    promise.catch((error) => {
      figure.dataset.drawn = "failed";
      figure.querySelector(".plot").textContent = `This chart could not be drawn: ${error.message}`;
      console.error(error);
    });
  }

  // What a section's controls say

  function state(section) {
    const chosen = {};
    for (const name of ["metric", "x", "y"]) chosen[name] = section.querySelector(`[data-control="${name}"]`).value;
    const boxes = [...section.querySelectorAll('[data-control="lines"] input')];
    chosen.lines = new Set(boxes.filter((box) => box.checked).map((box) => Number(box.value)));
    return chosen;
  }

  function words(facts, chosen) {
    const metric = facts.metrics[Number(chosen.metric)];
    const unit = metric.unit ? ` (${metric.unit})` : "";
    if (chosen.y === "value") return metric.name + unit;
    return chosen.y === "drop" ? `drop of ${metric.name}${unit}` : `drop of ${metric.name}, % of uncompressed`;
  }

  function values(facts, point, metric, kind) {
    const found = point.m[metric];
    if (!found) return null;
    let [y, low, high] = INDEX[kind].map((place) => found[place]);
    if (kind === "relative") {
      const base = Math.abs(facts.baseline[metric]);
      if (!base) return null;
      [y, low, high] = [y, low, high].map((value) => (value === null ? null : (100 * value) / base));
    }
    return y === null ? null : { y, low, high };
  }

  const atLevel = (line, point) => (point.level === null ? line.codec : `${line.level_name} ${number(point.level)}`);

  function rows(facts, chosen, x) {
    const metric = Number(chosen.metric);
    const found = [];
    facts.lines.forEach((line, place) => {
      if (!chosen.lines.has(place)) return;
      for (const point of line.points) {
        const own = values(facts, point, metric, chosen.y);
        if (own === null || (x && (point[x] === null || point[x] === undefined))) continue;
        const interval = own.low === null ? "" : ` [${number(own.low)}, ${number(own.high)}]`;
        found.push({
          codec: line.codec, training: line.training, line: line.name, at: atLevel(line, point), x: x ? point[x] : null,
          x_text: x ? number(point[x]) : "", y: own.y, low: own.low ?? own.y, high: own.high ?? own.y,
          y_text: number(own.y) + interval,
        });
      }
    });
    return found;
  }

  function make(figure) {
    const section = figure.closest("section");
    const facts = DATA[Number(section.dataset.case)];
    const kind = figure.dataset.chart;
    const file = `${facts.title} ${kind}`.replace(/[^\w-]+/g, "-");
    if (kind === "recovery") return recovery(facts, file);
    if (kind === "parts") return parts(facts, facts.breakdowns[Number(figure.dataset.part)], file);
    const chosen = state(section);
    const y = words(facts, chosen);
    if (kind === "picture") {
      const measures = ["psnr", "ms_ssim", "vmaf"].filter((name) => facts.lines.some((line) => line.points.some((p) => p[name] != null)));
      const x = measures.includes(chosen.x) ? chosen.x : measures[0];
      if (!x) return "No measure of the picture is known here.";
      return rate(facts, chosen, x, y, `${file}-${x}`);
    }
    if (kind === "rate") return rate(facts, chosen, chosen.x, y, `${file}-${chosen.x}`);
    const points = rows(facts, chosen, null);
    if (!points.length) return "Nothing is chosen, or it has no such value.";
    return {
      spec: "level", datasets: { points }, file, words: { $X: "level", $Y: y, $TITLE: `${y} at each level` },
      description: `${facts.title}: ${y} at each level of ${[...new Set(points.map((p) => p.codec))].join(", ")}`,
    };
  }

  function rate(facts, chosen, x, y, file) {
    const points = rows(facts, chosen, x);
    if (!points.length) return `Nothing is chosen, or it has no ${WORDS[x]}.`;
    const base = facts.baseline[Number(chosen.metric)];
    const zero = chosen.y === "value" ? base : 0;
    const baseline = base === null ? [] : [{ y: zero, text: number(zero) }];
    return {
      spec: "rate", datasets: { points, baseline }, scale: SCALES[x], file,
      words: { $X: WORDS[x], $Y: y, $TITLE: `${y} against ${WORDS[x]}` },
      description: `${facts.title}: ${y} against ${WORDS[x]}, for ${[...new Set(points.map((p) => p.line))].join("; ")}`,
    };
  }

  function recovery(facts, file) {
    if (!facts.recovery.length) return "No level has a loss that is significantly above 0, or nothing was retrained at the level it is tested at.";
    return {
      spec: "recovery", datasets: { shares: facts.recovery }, file, words: { $X: "level", $TITLE: "share of the loss won back" },
      description: `${facts.title}: share of the loss that retraining wins back at each level`,
    };
  }

  function parts(facts, group, file) {
    const points = [];
    for (const line of facts.lines.filter((one) => one.training === "pretrained")) {
      for (const metric of group.metrics) {
        for (const point of line.points) {
          const own = values(facts, point, metric, "value");
          if (own === null) continue;
          const interval = own.low === null ? "" : ` [${number(own.low)}, ${number(own.high)}]`;
          points.push({
            codec: line.codec, metric: facts.metrics[metric].name, at: atLevel(line, point), y: own.y,
            low: own.low ?? own.y, high: own.high ?? own.y, y_text: number(own.y) + interval,
          });
        }
      }
    }
    if (!points.length) return "No experiment has these metrics.";
    const units = [...new Set(group.metrics.map((place) => facts.metrics[place].unit))].filter(Boolean).join(", ");
    return {
      spec: "parts", datasets: { points }, file: `${file}-${group.title}`,
      words: { $X: "level", $Y: units || group.title, $TITLE: group.title },
      description: `${facts.title}: ${group.title} at each level: ${[...new Set(points.map((p) => p.metric))].join(", ")}`,
    };
  }

  // Controls

  function option(select, value, text) {
    const made = document.createElement("option");
    made.value = value;
    made.textContent = text;
    select.append(made);
  }

  for (const section of document.querySelectorAll("section[data-case]")) {
    const facts = DATA[Number(section.dataset.case)];
    const metrics = section.querySelector('[data-control="metric"]');
    facts.metrics.forEach((metric, place) => option(metrics, String(place), metric.name + (metric.unit ? ` (${metric.unit})` : "")));
    metrics.value = String(Math.max(0, facts.metrics.findIndex((metric) => metric.primary)));
    const has = (name) => facts.lines.some((line) => line.points.some((point) => point[name] != null));
    const against = section.querySelector('[data-control="x"]');
    for (const one of [...against.options]) if (!has(one.value)) one.remove();
    for (const name of ["ms_ssim", "vmaf"]) if (has(name)) option(against, name, WORDS[name]);
    const y = section.querySelector('[data-control="y"]');
    if (facts.baseline.every((value) => value === null)) [...y.options].slice(1).forEach((one) => one.remove());
    const lines = section.querySelector('[data-control="lines"]');
    const single = (line) => line.training !== "pretrained" && !line.training.startsWith("matched");
    facts.lines.forEach((line, place) => {
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.value = String(place);
      box.checked = !single(line);
      label.append(box, ` ${line.name}`);
      lines.append(label);
    });
    section.querySelector(".controls").addEventListener("change", () => redraw(section));
    section.querySelector(".controls").addEventListener("submit", (event) => event.preventDefault());
  }

  // Charts and pictures are made when they come near the screen; all of them before printing.

  function load(image) {
    const held = document.getElementById(image.dataset.picture);
    if (held && !image.src) image.src = `data:image/webp;base64,${held.textContent}`;
  }
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watch.unobserve(entry.target);
      if (entry.target.dataset.chart) failing(draw(entry.target), entry.target);
      else load(entry.target);
    }
  }, { rootMargin: "400px" });
  for (const one of document.querySelectorAll("figure[data-chart], img[data-picture]")) watch.observe(one);
  addEventListener("beforeprint", () => {
    for (const figure of document.querySelectorAll("figure[data-chart]")) if (!drawn.has(figure)) failing(draw(figure), figure);
    for (const image of document.querySelectorAll("img[data-picture]")) load(image);
    for (const one of document.querySelectorAll("main details:not(.plot details)")) one.open = true;
  });
  let timer;
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(timer);
    timer = setTimeout(() => redraw(), 150);
  });

  // The viewer

  const viewer = document.getElementById("viewer");
  let shown = null;
  function show(image) {
    load(image);
    shown = image;
    const large = viewer.querySelector("img");
    large.src = image.src;
    large.alt = image.alt;
    viewer.querySelector("p").textContent = image.alt;
    if (!viewer.open) viewer.showModal();
  }
  function step(by) {
    const strip = [...shown.closest(".pictures").querySelectorAll("img")];
    show(strip[(strip.indexOf(shown) + by + strip.length) % strip.length]);
  }
  for (const one of document.querySelectorAll(".picture")) one.addEventListener("click", () => show(one.querySelector("img")));
  viewer.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowLeft") step(-1);
    else return;
    event.preventDefault();
  });
  viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
  viewer.addEventListener("close", () => { if (shown) shown.closest(".picture").focus(); });
})();
