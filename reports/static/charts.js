/* Twin of reports/charts.py: the same whole-number geometry. The only script that knows how a chart looks. */
(function () {
  "use strict";
  var CU = window.CU;
  var SLOT = 100;
  var HEIGHT = 1000n;

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

  CU.charts = {
    /* series: [{tone, values: BigInt[]}]; before: BigInt[] or null; draws into the figure. */
    stackedBars: function (figure, labels, titles, series, tick, before) {
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
      var svg = CU.svg("svg", { viewBox: "0 0 " + Math.max(labels.length, 1) * SLOT + " 1000", preserveAspectRatio: "none", role: "img", "aria-label": figure.getAttribute("aria-label") });
      labels.forEach(function (_, i) {
        var group = CU.svg("g", {});
        var title = CU.svg("title", {});
        title.textContent = titles[i];
        group.appendChild(title);
        var left = i * SLOT;
        group.appendChild(CU.svg("rect", { "class": "hit", x: left, y: 0, width: SLOT, height: 1000 }));
        function bar(x, width, start, end, tone) {
          if (end > start) { group.appendChild(CU.svg("rect", { "class": tone, x: x, y: HEIGHT - end, width: width, height: end - start })); }
        }
        if (before) { bar(left + 12, 22, 0n, positive(before[i]) * HEIGHT / top, "before"); }
        var level = 0n;
        series.forEach(function (part) {
          var start = level * HEIGHT / top;
          level += positive(part.values[i]);
          bar(left + (before ? 38 : 12), before ? 50 : 76, start, level * HEIGHT / top, part.tone);
        });
        svg.appendChild(group);
      });
      CU.put(figure, [
        CU.el("div", { class: "plot" }, [CU.el("div", { class: "ticks", "aria-hidden": "true" }, ticks.map(function (value) { return CU.el("span", {}, tick(value)); })), svg]),
        CU.el("div", { class: "axis", "aria-hidden": "true" }, axisLabels(labels).map(function (text) { return CU.el("span", {}, text); }))
      ]);
    }
  };
})();
