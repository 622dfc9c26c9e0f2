/* Twin of reports/charts.py: the same whole-number geometry. The only script that knows how a chart looks and how it is pointed at. */
(function () {
  "use strict";
  var CU = window.CU;
  var SLOT = 100;
  var HEIGHT = 1000n;
  var held = new WeakMap(); /* figure → what its tooltip says and its click does */

  function niceTop(value) {
    if (value <= 0n) { return 1n; }
    var base = 10n ** BigInt(String(value).length - 1);
    return [10n, 12n, 15n, 20n, 25n, 30n, 40n, 50n, 60n, 80n, 100n].map(function (tenths) { return base * tenths / 10n; }).find(function (top) { return top >= value; });
  }
  function axisLabels(labels) {
    if (labels.length <= 5) { return labels; }
    return [0, 1, 2, 3, 4].map(function (k) { return labels[Math.floor((k * (labels.length - 1)) / 4)]; });
  }
  function positive(value) { return value > 0n ? value : 0n; }

  /* Points of a polyline through the values (BigInt); empty where there is no trend to see. */
  function sparkline(values) {
    var highest = values.reduce(function (most, value) { return value > most ? value : most; }, 0n);
    if (values.length < 2 || highest <= 0n) { return ""; }
    return values.map(function (value, i) {
      return Math.floor(i * 1000 / (values.length - 1)) + "," + String(100n - positive(value) * 100n / highest);
    }).join(" ");
  }
  function spark(values) {
    var points = sparkline(values);
    if (!points) { return null; }
    var svg = CU.svg("svg", { viewBox: "0 -4 1000 108", preserveAspectRatio: "none" });
    svg.appendChild(CU.svg("polygon", { points: "0,100 " + points + " 1000,100" }));
    svg.appendChild(CU.svg("polyline", { points: points }));
    return CU.el("dd", { class: "spark", "aria-hidden": "true" }, svg);
  }

  /* --- pointing: one tooltip for the bar under the pointer, or under the arrow keys -------------------------------- */
  function tip() {
    return document.getElementById("chart-tip") || document.body.appendChild(CU.el("div", { id: "chart-tip", class: "peek-box chart-tip", role: "status", hidden: true }));
  }
  function hideTip(figure) {
    tip().hidden = true;
    figure.querySelectorAll("g.is-pointed").forEach(function (group) { group.classList.remove("is-pointed"); });
  }
  function showTip(figure, place, x) {
    var spec = held.get(figure);
    var said = spec && spec.tip ? spec.tip(place) : null;
    var groups = figure.querySelectorAll("svg > g");
    if (!said || !groups[place]) { return; }
    hideTip(figure);
    groups[place].classList.add("is-pointed");
    spec.place = place;
    var box = CU.clear(tip());
    CU.put(box, [CU.el("strong", {}, said.title), CU.el("table", {}, CU.el("tbody", {}, said.rows.map(function (row) {
      return CU.el("tr", { class: row.sum ? "sum" : null }, [
        CU.el("th", { scope: "row" }, [row.tone ? CU.el("span", { class: "swatch " + row.tone }) : null, CU.el("span", { dir: "auto" }, row.label)]), CU.el("td", {}, row.text)]);
    }))), said.note ? CU.el("p", {}, said.note) : null, spec.hint ? CU.el("p", { class: "hint" }, spec.hint) : null]);
    box.hidden = false;
    var area = figure.querySelector("svg").getBoundingClientRect();
    var size = box.getBoundingClientRect();
    var center = x === undefined ? area.left + area.width * (place + 0.5) / groups.length : x;
    var left = center + 16;
    if (left + size.width > document.documentElement.clientWidth - 8) { left = center - size.width - 16; }
    box.style.left = Math.max(8, left) + "px";
    box.style.top = Math.max(8, Math.min(area.top + 12, window.innerHeight - size.height - 8)) + "px";
  }
  function placeOf(svg, count, event) {
    var area = svg.getBoundingClientRect();
    return Math.max(0, Math.min(count - 1, Math.floor((event.clientX - area.left) / area.width * count)));
  }
  function pointable(figure) {
    if (figure.hasAttribute("data-pointable")) { return; }
    figure.setAttribute("data-pointable", "");
    function count() { return figure.querySelectorAll("svg > g").length; }
    figure.addEventListener("pointermove", function (event) {
      var svg = event.target.closest("svg");
      if (svg) { showTip(figure, placeOf(svg, count(), event), event.clientX); }
    });
    figure.addEventListener("pointerleave", function () { hideTip(figure); });
    figure.addEventListener("click", function (event) {
      var svg = event.target.closest("svg"), spec = held.get(figure);
      if (!svg || !spec || !spec.pick) { return; }
      var part = event.target.getAttribute("data-part");
      spec.pick(placeOf(svg, count(), event), part === null ? null : Number(part));
    });
    figure.addEventListener("keydown", function (event) {
      var spec = held.get(figure), all = count();
      if (!spec || !event.target.closest("svg")) { return; }
      var steps = { ArrowLeft: -1, ArrowRight: 1 };
      var place = spec.place === undefined ? all : spec.place;
      if (event.key in steps) { place = Math.max(0, Math.min(all - 1, place === all ? all - 1 : place + steps[event.key])); }
      else if (event.key === "Home") { place = 0; }
      else if (event.key === "End") { place = all - 1; }
      else if (event.key === "Enter" && spec.pick && place < all) { spec.pick(place, null); return; }
      else if (event.key === "Escape") { hideTip(figure); return; }
      else { return; }
      event.preventDefault();
      showTip(figure, place);
    });
    figure.addEventListener("focusout", function () { hideTip(figure); });
  }

  CU.charts = {
    sparkline: sparkline,
    /* A small bar for a part of a whole, beside its number. */
    meter: function (part, whole) {
      var width = whole > 0n && part > 0n ? part * 1000n / whole : 0n;
      var svg = CU.svg("svg", { "class": "meter", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" });
      svg.appendChild(CU.svg("rect", { width: width, height: 10 }));
      return svg;
    },
    spark: spark,
    /* Tooltips and clicks for a chart that stands already. `tip(place)` gives {title, rows: [{label, text, tone, sum}], note};
       `pick(place, part)` is called for a click, part being the number of the series or null. */
    explain: function (figure, spec) { held.set(figure, spec); pointable(figure); },
    /* series: [{tone, values: BigInt[]}]; before: BigInt[] or null; draws into the figure. */
    stackedBars: function (figure, labels, titles, series, tick, before, provisional, everyLabel) {
      var each = everyLabel || labels.length <= 10;
      var highest = 0n;
      labels.forEach(function (_, i) {
        var sum = series.reduce(function (sum, part) { return sum + part.values[i]; }, 0n);
        if (sum > highest) { highest = sum; }
        if (before && before[i] > highest) { highest = before[i]; }
      });
      CU.clear(figure);
      if (highest <= 0n) { figure.appendChild(CU.el("p", { class: "empty" }, "Nothing to draw in this range.")); return; }
      var top = niceTop(highest);
      var ticks = top > 1n ? [top, top / 2n, 0n] : [top, 0n];
      var svg = CU.svg("svg", { viewBox: "0 0 " + Math.max(labels.length, 1) * SLOT + " 1000", preserveAspectRatio: "none", role: "img", "aria-label": figure.getAttribute("aria-label"), tabindex: "0" });
      labels.forEach(function (_, i) {
        var group = CU.svg("g", i === provisional ? { "class": "is-provisional" } : {});
        if (titles) {
          var title = CU.svg("title", {});
          title.textContent = titles[i];
          group.appendChild(title);
        }
        var left = i * SLOT;
        group.appendChild(CU.svg("rect", { "class": "hit", x: left, y: 0, width: SLOT, height: 1000 }));
        function bar(x, width, start, end, tone, part) {
          if (end > start) {
            var rect = CU.svg("rect", { "class": tone, x: x, y: HEIGHT - end, width: width, height: end - start });
            if (part !== undefined) { rect.setAttribute("data-part", part); }
            group.appendChild(rect);
          }
        }
        if (before) { bar(left + 12, 22, 0n, positive(before[i]) * HEIGHT / top, "before"); }
        var level = 0n;
        series.forEach(function (part, number) {
          var start = level * HEIGHT / top;
          level += positive(part.values[i]);
          bar(left + (before ? 38 : 12), before ? 50 : 76, start, level * HEIGHT / top, part.tone, number);
        });
        svg.appendChild(group);
      });
      CU.put(figure, [
        CU.el("div", { class: "plot" }, [CU.el("div", { class: "ticks", "aria-hidden": "true" }, ticks.map(function (value) { return CU.el("span", {}, tick(value)); })), svg]),
        CU.el("div", { class: each ? "axis each" : "axis", "aria-hidden": "true" }, (each ? labels : axisLabels(labels)).map(function (text) { return CU.el("span", {}, text); }))
      ]);
    }
  };
})();
