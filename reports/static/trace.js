/* The trace of a run as a tree with bars: collapse, child runs on demand, keys, and only the rows in sight in the page. */
(function () {
  "use strict";
  var CU = window.CU;
  var f = CU.format;
  var config = CU.config();
  var spanAt = CU.positions(config.span_fields);
  var childAt = CU.positions(config.child_fields);
  var ROW = 28; /* px, as in app.css; rows are placed by it */
  var MARGIN = 8; /* rows kept above and below what is in sight */
  var PRINTED = 1500; /* rows of a trace on paper, some forty pages */
  var STEP = 12; /* px of one level */
  var KINDS = { completion: "call", embedding: "call", image_generation: "call", tool: "tool", retrieval: "tool" };

  function cash(text) { return text === null ? null : f.toScaled(text); }
  function spanKey(loaded, row) { return loaded.id + "\n" + row[spanAt.span_id]; }

  /* Lines in reading order: spans as a tree, siblings and child runs by their start. `closed` holds keys of collapsed spans, `opened`
     the loaded child runs. */
  function lay(loaded, closed, opened) {
    var lines = [];
    function layRun(loaded, shift, depth, path) {
      var known = new Map();
      loaded.spans.forEach(function (row) { known.set(row[spanAt.span_id], row); });
      var below = new Map(), roots = [];
      loaded.spans.forEach(function (row) {
        var parent = row[spanAt.parent_span_id];
        if (parent !== null && known.has(parent) && parent !== row[spanAt.span_id]) {
          if (!below.has(parent)) { below.set(parent, []); }
          below.get(parent).push({ span: row, start: row[spanAt.start_offset_ms] || 0 });
        } else { roots.push({ span: row, start: row[spanAt.start_offset_ms] || 0 }); }
      });
      var base = loaded.run ? loaded.run("started_at") : null;
      var children = loaded.children.map(function (row) { return { child: row, start: base === null ? 0 : row[childAt.started_at] - base }; });
      /* Which span started a child run is not known: it stands below the root. */
      if (roots.length === 1 && children.length) {
        var root = roots[0].span[spanAt.span_id];
        below.set(root, (below.get(root) || []).concat(children));
        children = [];
      }
      function byStart(a, b) { return a.start - b.start; }
      below.forEach(function (list) { list.sort(byStart); });
      var seen = new Set();
      function visit(first, level) {
        var stack = [{ item: first, level: level }]; /* no recursion: traces may be thousands deep */
        while (stack.length) {
          var entry = stack.pop(), item = entry.item;
          if (item.child) {
            var id = item.child[childAt.run_id], inner = opened.get(id);
            lines.push({ key: id, child: item.child, level: entry.level, start: item.start + shift, length: item.child[childAt.duration_ms], hasMore: true, isOpen: Boolean(inner) });
            if (inner && path.indexOf(id) < 0) { layRun(inner, item.start + shift, entry.level + 1, path.concat([id])); }
            continue;
          }
          var span = item.span[spanAt.span_id];
          if (seen.has(span)) { continue; }
          seen.add(span);
          var under = below.get(span) || [], key = spanKey(loaded, item.span), isOpen = !closed.has(key);
          lines.push({ key: key, span: item.span, level: entry.level, start: item.start + shift, length: item.span[spanAt.duration_ms], hasMore: under.length > 0, isOpen: isOpen });
          if (!isOpen) { skip(under); continue; }
          for (var i = under.length - 1; i >= 0; i -= 1) { stack.push({ item: under[i], level: entry.level + 1 }); }
        }
      }
      function skip(list) { /* what is below a collapsed span is seen, too, or it would come as a root of a ring */
        var stack = list.slice();
        while (stack.length) {
          var item = stack.pop();
          if (!item.span) { continue; }
          seen.add(item.span[spanAt.span_id]);
          (below.get(item.span[spanAt.span_id]) || []).forEach(function (part) { if (part.span && !seen.has(part.span[spanAt.span_id])) { stack.push(part); } });
        }
      }
      roots.sort(byStart).forEach(function (item) { visit(item, depth); });
      loaded.spans.forEach(function (row) { if (!seen.has(row[spanAt.span_id])) { visit({ span: row, start: row[spanAt.start_offset_ms] || 0 }, depth); } }); /* parents that form a ring */
      children.sort(byStart).forEach(function (item) { visit(item, depth); });
    }
    layRun(loaded, 0, 0, [loaded.id]);
    return lines;
  }

  function statusOf(line) { return (line.child ? line.child[childAt.status] : line.span[spanAt.status]) || "unknown"; }
  function nameOf(line) { return line.child ? line.child[childAt.name] || line.child[childAt.run_id] : line.span[spanAt.span_name]; }
  function costOf(line) {
    if (line.child) { /* of what it lacks there is room for a sign only; its panel has the rest */
      var cost = cash(line.child[childAt.total_cost_usd]), isLacking = line.child[childAt.unpriced_call_count] > 0;
      return isLacking && !cost ? "unpriced" : f.money(cost) + (isLacking ? " + ?" : "");
    }
    if (line.span[spanAt.billing_role] !== "call") { return ""; }
    return line.span[spanAt.cost_source] === "unpriced" ? "unpriced" : f.money(cash(line.span[spanAt.total_cost_usd]));
  }

  /* `loadRun(id, day)` gives a child run, `choose(line)` is told which line is chosen (null: none). */
  CU.trace = function (loaded, loadRun, choose) {
    var closed = new Set(), opened = new Map();
    var lines = [], chosen = null, begin = 0, whole = 1, isPrinting = false;
    var title = CU.el("p", { class: "w-said" });
    var fold = CU.el("button", { type: "button", class: "quiet" }, "Collapse all");
    var present = new Set(loaded.spans.map(function (row) { return KINDS[row[spanAt.span_kind]] || "step"; }).concat(loaded.children.length ? ["run"] : []));
    var legend = CU.el("ul", { class: "legend w-legend" }, [["call", "Model call"], ["tool", "Tool or retrieval"], ["step", "Other"], ["run", "Child run"]]
      .filter(function (kind) { return present.has(kind[0]); }).map(function (kind) { return CU.el("li", {}, [CU.el("span", { class: "swatch k-" + kind[0] }), kind[1]]); }));
    var ticks = CU.el("div", { class: "w-ticks", "aria-hidden": "true" });
    var rows = CU.el("div", { class: "w-rows", role: "presentation" });
    var view = CU.el("div", { class: "w-view", role: "tree", tabindex: "0", "aria-label": "Spans of this run" }, rows);
    var rest = CU.el("p", { class: "sub w-rest", hidden: true });
    var box = CU.el("div", { class: "waterfall" }, [CU.el("div", { class: "w-head" }, [title, fold]), legend, ticks, view, rest]);

    function measure() {
      lines = lay(loaded, closed, opened);
      var end = lines.reduce(function (end, line) { return Math.max(end, line.start + (line.length || 0)); }, loaded.run && loaded.run("duration_ms") || 1);
      begin = lines.reduce(function (begin, line) { return Math.min(begin, line.start); }, 0);
      whole = Math.max(1, end - begin);
      CU.put(CU.clear(ticks), [0, 1, 2, 3, 4].map(function (k) { return CU.el("span", {}, f.duration(Math.round(begin + whole * k / 4))); }));
      rows.style.height = lines.length * ROW + "px";
      view.style.height = Math.min(lines.length * ROW + 2, Math.max(252, Math.round(window.innerHeight * 0.44))) + "px";
      var failed = loaded.spans.filter(function (row) { return row[spanAt.status] === "failed"; }).length;
      title.textContent = f.count(loaded.spans.length) + (loaded.spans.length === 1 ? " span" : " spans") + (failed ? ", " + f.count(failed) + " failed" : "")
        + (loaded.children.length ? ", " + f.count(loaded.children.length) + (loaded.children.length === 1 ? " child run" : " child runs") : "");
      fold.hidden = !lines.some(function (line) { return line.hasMore && line.span; });
      fold.textContent = closed.size ? "Expand all" : "Collapse all";
      if (!lines.length) { CU.put(CU.clear(box), CU.el("p", { class: "empty" }, "No span of this run has arrived.")); }
    }
    function rowOf(line, place) {
      var status = statusOf(line), name = nameOf(line), cost = costOf(line);
      var kind = line.child ? "run" : KINDS[line.span[spanAt.span_kind]] || "step";
      var bar = CU.el("span", { class: "w-bar k-" + kind + " status-" + status + (line.length === null ? " open" : "") });
      bar.style.left = ((line.start - begin) * 100 / whole).toFixed(3) + "%";
      bar.style.width = Math.max(0.4, (line.length === null ? begin + whole - line.start : line.length) * 100 / whole).toFixed(3) + "%";
      var label = CU.el("span", { class: "w-label" }, [
        CU.el("span", { class: "w-turn", "aria-hidden": "true" }, line.hasMore ? (line.isOpen ? "▾" : "▸") : ""),
        CU.el("span", { class: "w-shape status-" + status, "aria-hidden": "true" }, CU.shapes[status] || "○"),
        CU.el("span", { class: "w-name", dir: "auto", title: name }, name),
        CU.el("span", { class: "hidden-text" }, ", " + (line.child ? line.child[childAt.run_type] + " run" : line.span[spanAt.span_kind]) + ", " + (status === "unknown" ? "status not said" : status) + ",")]);
      label.style.paddingInlineStart = Math.min(line.level, 12) * STEP + "px";
      var row = CU.el("div", { class: "w-row" + (line.child ? " w-child" : ""), role: "treeitem", id: "w-" + place, "aria-level": Math.min(line.level, 998) + 1, "aria-selected": String(line.key === chosen),
        "aria-expanded": line.hasMore ? String(line.isOpen) : null,
        "data-place": place, "data-span": line.span ? line.span[spanAt.span_id] : null, "data-child": line.child ? line.child[childAt.run_id] : null }, [
        label, CU.el("span", { class: "w-track" }, bar), CU.el("span", { class: "w-cost" }, cost), CU.el("span", { class: "w-time" }, f.duration(line.length))]);
      row.style.top = place * ROW + "px";
      return row;
    }
    var held = new Map(); /* place → its row in the page: scrolling must not take a row from under a click */
    function draw() {
      var from = isPrinting ? 0 : Math.max(0, Math.floor(view.scrollTop / ROW) - MARGIN);
      var to = isPrinting ? Math.min(lines.length, PRINTED) : Math.min(lines.length, Math.ceil((view.scrollTop + view.clientHeight) / ROW) + MARGIN);
      held.forEach(function (row, place) { if (place < from || place >= to) { row.remove(); held.delete(place); } });
      var next = null; /* rows stand in the page in the order of their places, for readers of it and for paper */
      for (var place = to - 1; place >= from; place -= 1) {
        if (!held.has(place)) {
          held.set(place, rowOf(lines[place], place));
          rows.insertBefore(held.get(place), next);
        }
        next = held.get(place);
      }
      rest.hidden = !(isPrinting && lines.length > PRINTED);
      rest.textContent = "Showing " + f.count(PRINTED) + " of " + f.count(lines.length) + " spans; the page itself has the rest.";
      mark();
    }
    function mark() {
      var at = placeOf(chosen);
      held.forEach(function (row, place) { row.setAttribute("aria-selected", String(place === at)); });
      if (held.has(at)) { view.setAttribute("aria-activedescendant", "w-" + at); } else { view.removeAttribute("aria-activedescendant"); }
    }
    function placeOf(key) { return key === null ? -1 : lines.findIndex(function (line) { return line.key === key; }); }
    function again() {
      measure();
      held.clear();
      rows.replaceChildren();
      draw();
    }
    function reveal(place) {
      if (place * ROW < view.scrollTop) { view.scrollTop = place * ROW; }
      else if ((place + 1) * ROW > view.scrollTop + view.clientHeight) { view.scrollTop = (place + 1) * ROW - view.clientHeight; }
    }
    function take(place) {
      if (!lines[place]) { return; }
      chosen = lines[place].key;
      reveal(place);
      draw();
      choose(lines[place]);
    }
    function turn(line, wanted) {
      if (!line || !line.hasMore || (wanted !== undefined && line.isOpen === wanted)) { return; }
      if (line.span) {
        if (closed.has(line.key)) { closed.delete(line.key); } else { closed.add(line.key); }
        again();
      } else if (opened.has(line.key)) { opened.delete(line.key); again(); }
      else { loadRun(line.child[childAt.run_id], line.child[childAt.usage_date]).then(function (inner) { if (inner) { opened.set(line.key, inner); again(); } }); }
    }
    fold.addEventListener("click", function () {
      if (closed.size) { closed.clear(); } else { lines.forEach(function (line) { if (line.hasMore && line.span) { closed.add(line.key); } }); }
      view.scrollTop = 0;
      again();
    });
    view.addEventListener("scroll", function () { if (!isPrinting) { draw(); } });
    rows.addEventListener("click", function (event) {
      var row = event.target.closest(".w-row");
      if (!row) { return; }
      var place = Number(row.getAttribute("data-place"));
      if (event.target.classList.contains("w-turn") && lines[place].hasMore) { turn(lines[place]); return; }
      take(place);
    });
    rows.addEventListener("dblclick", function (event) {
      var row = event.target.closest(".w-row");
      if (row && !event.target.classList.contains("w-turn")) { turn(lines[Number(row.getAttribute("data-place"))]); }
    });
    view.addEventListener("keydown", function (event) {
      if (event.ctrlKey || event.metaKey || event.altKey) { return; }
      var at = placeOf(chosen), line = lines[at], page = Math.max(1, Math.floor(view.clientHeight / ROW) - 1);
      var moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1, PageDown: at + page, PageUp: at - page };
      if (Object.prototype.hasOwnProperty.call(moves, event.key)) { take(Math.max(0, Math.min(lines.length - 1, moves[event.key]))); }
      else if (event.key === "ArrowRight") { if (line && line.hasMore && !line.isOpen) { turn(line, true); } else if (line && line.hasMore) { take(at + 1); } }
      else if (event.key === "ArrowLeft") {
        if (line && line.hasMore && line.isOpen) { turn(line, false); }
        else if (line) { for (var up = at - 1; up >= 0; up -= 1) { if (lines[up].level < line.level) { take(up); break; } } }
      } else if (event.key === "Enter" || event.key === " ") { turn(line); }
      else { return; }
      event.preventDefault();
    });
    measure();
    return {
      element: box,
      /* To be called when the element is in the page: heights are known then. */
      draw: draw,
      print: function (wanted) { if (isPrinting !== wanted) { isPrinting = wanted; draw(); } },
      /* Choose a span by its id, with everything above it open; false where this run has none of that id. */
      take: function (id) {
        closed.clear();
        again();
        var place = lines.findIndex(function (line) { return line.span && line.span[spanAt.span_id] === id && line.key === spanKey(loaded, line.span); });
        if (place < 0) { return false; }
        take(place);
        return true;
      }
    };
  };
})();
