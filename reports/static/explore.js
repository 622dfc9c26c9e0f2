/* Analytics beyond its default view: the first panel by cost, tokens or calls, grouped; and all panels filtered by clicks, as far as their
   figures know what is filtered by. Rows come from the months' breakdowns; with a filter from the months' cube, which has the same
   values of each dimension. */
(function () {
  "use strict";
  var CU = window.CU;
  var A = CU.analytics;
  if (!A) { return; }
  var f = CU.format;
  var config = A.config;
  var SERIES = 8;
  var ROWS = 12;
  var COLOURS = 10;
  var MEASURES = {
    cost: { key: "total_cost_usd", title: "Total Cost", label: "Cost", show: f.money, exact: f.moneyExact },
    tokens: { key: "total_tokens", title: "Total Tokens", label: "Tokens", show: f.countShort, exact: f.count },
    calls: { key: "call_count", title: "Total Calls", label: "Calls", show: f.countShort, exact: f.count }
  };
  var SUMS = ["call_count", "total_tokens", "unpriced_call_count", "unpriced_total_tokens", "task_credits", "wallet_cost_usd", "task_credit_cost_usd", "external_cost_usd", "total_cost_usd"];
  var state = { measure: "cost", group: "", filters: [], isWhole: false };
  var labels = {};
  config.dimensions.forEach(function (dimension) { labels[dimension[0]] = dimension[1]; });
  function id(name) { return document.getElementById(name); }
  var shown = null;
  var cubes = {};

  /* --- colours: a value keeps its own; where two of one chart share it, the smaller one takes the next that is free --- */
  var places = {};
  Object.keys(config.colours).forEach(function (dimension) {
    places[dimension] = new Map(config.colours[dimension].map(function (value, place) { return [value, place]; }));
  });
  function tones(dimension, groups) {
    var taken = {};
    return groups.map(function (group) {
      if (group.who !== "value") { return "other"; }
      var place = places[dimension] && places[dimension].has(group.value) ? places[dimension].get(group.value) : 0;
      var tone = place % COLOURS;
      for (var step = 0; taken[tone] && step < COLOURS; step += 1) { tone = (tone + 1) % COLOURS; }
      taken[tone] = true;
      return "e" + tone;
    });
  }
  function nameOf(group) {
    if (group.who === "unsaid") { return config.words.not_said; }
    if (group.who === "other") { return "Other" + (group.count ? " (" + f.count(group.count) + ")" : ""); }
    return group.value === "" ? config.words.not_said : group.value;
  }

  /* --- rows --------------------------------------------------------------------------------------------------------- */
  function monthsOf(first, last) { return config.months.filter(function (month) { return month >= first.slice(0, 7) && month <= last.slice(0, 7); }); }
  function loadCubes(first, last) {
    if (!state.filters.length) { return Promise.resolve(); }
    return Promise.all(monthsOf(first, last).map(function (month) {
      if (cubes[month]) { return null; }
      return CU.load("cube", month).then(function (data) {
        if (data === null) { throw new Error("data/cube/" + month + ".js is missing"); }
        cubes[month] = { values: data.values, rows: data.rows.map(function (row) { return A.asRow(config.cube_columns, row); }) };
        CU.forget("cube", month);
      });
    }));
  }
  function decoded(values, places, dimension) {
    var place = places[dimension];
    return place === -2 ? { who: "unsaid", value: null } : place === -1 ? { who: "other", value: null } : { who: "value", value: values[dimension][place] };
  }
  function rows(first, last) {
    if (!state.filters.length) { return A.between(state.group ? "by_" + state.group : "total", first, last); }
    var group = ORDER.indexOf(state.group);
    return cubeRows(first, last).map(function (entry) { return group < 0 ? entry.row : Object.assign({}, entry.row, decoded(entry.cube.values, entry.row.values, group)); });
  }
  var ORDER = config.dimensions.map(function (dimension) { return dimension[0]; });
  /* The cube's rows that pass the filters: [{row, cube}]. */
  function cubeRows(first, last) {
    var found = [];
    monthsOf(first, last).forEach(function (month) {
      var cube = cubes[month];
      /* A filter is a place in this month's list; a month without the value has none. */
      var wanted = state.filters.map(function (filter) {
        var at = ORDER.indexOf(filter.dimension);
        return [at, filter.who === "unsaid" ? -2 : filter.who === "other" ? -1 : cube.values[at].indexOf(filter.value)];
      });
      if (wanted.some(function (pair, i) { return pair[1] === -1 && state.filters[i].who !== "other"; })) { return; }
      cube.rows.forEach(function (row) {
        if (row.usage_date < first || row.usage_date > last) { return; }
        if (wanted.every(function (pair) { return row.values[pair[0]] === pair[1]; })) { found.push({ row: row, cube: cube }); }
      });
    });
    return found;
  }

  /* --- the other panels under a filter ------------------------------------------------------------------------------ */
  /* A table's rows as the filter leaves them; null where the table does not know what is filtered by. */
  var BY_MODEL = { unpriced: 1, differences: 1, observability: 1, model_latency: 1 };
  var NOT_FOLLOWING = { traces: "Runs, spans and tools are not kept by what is filtered by", users: "Users are not kept by what is filtered by" };
  function isByModelOnly() { return state.filters.every(function (filter) { return filter.dimension === "model" || filter.dimension === "provider"; }); }
  function ofDays(first, last, key) {
    var found = new Map();
    cubeRows(first, last).forEach(function (entry) {
      var row = entry.row, held = found.get(row.usage_date);
      if (!held) { held = { usage_date: row.usage_date }; found.set(row.usage_date, held); config.columns[key].forEach(function (name) { if (name !== "usage_date") { held[name] = 0n; } }); }
      Object.keys(row).forEach(function (name) { if (typeof row[name] === "bigint") { held[name] = (held[name] || 0n) + row[name]; } });
    });
    return Array.from(found.values());
  }
  function named(entry, dimension) {
    var found = decoded(entry.cube.values, entry.row.values, ORDER.indexOf(dimension));
    return found.who === "other" ? "Other" : found.value;
  }
  var lens = {
    rows: function (name, first, last) {
      if (name === "total") { return ofDays(first, last, "total"); }
      if (name === "tokens") {
        return ofDays(first, last, "tokens").map(function (row) {
          return Object.assign(row, { uncached_input_tokens: row.input_tokens - row.cached_tokens - row.cache_write_tokens, visible_output_tokens: row.output_tokens - row.reasoning_tokens });
        });
      }
      if (name === "services") { return cubeRows(first, last).map(function (entry) { return Object.assign({}, entry.row, { service: named(entry, "service") }); }); }
      if (name === "models") {
        return cubeRows(first, last).filter(function (entry) { return entry.row.is_model_call; })
          .map(function (entry) { return Object.assign({}, entry.row, { provider: named(entry, "provider"), model: named(entry, "model") }); });
      }
      if (!BY_MODEL[name] || !isByModelOnly()) { return null; }
      return A.between(name, first, last).filter(function (row) {
        return state.filters.every(function (filter) {
          var value = row[filter.dimension];
          if (filter.who === "unsaid") { return value === null; }
          if (filter.who === "value") { return value === filter.value; }
          return value !== null && cubes[row.usage_date.slice(0, 7)].values[ORDER.indexOf(filter.dimension)].indexOf(value) < 0;
        });
      });
    }
  };
  /* Where a panel cannot follow, it says so. */
  function sayFollowing() {
    var dimensions = state.filters.map(function (filter) { return labels[filter.dimension].toLowerCase().replace("api", "API"); }).join(" and ");
    document.querySelectorAll("[data-follows]").forEach(function (line) {
      var kind = line.getAttribute("data-follows");
      line.hidden = !state.filters.length || (kind === "model" && isByModelOnly());
      line.textContent = line.hidden ? "" : "Not filtered. " + (NOT_FOLLOWING[kind] || "These figures are kept by provider and model only, not by what is filtered by") + " (" + dimensions + ").";
    });
  }
  function grouped(list) {
    var found = new Map();
    list.forEach(function (row) {
      var who = state.group ? row.who : "all";
      var key = who + "/" + (state.group ? row.value : "");
      var entry = found.get(key);
      if (!entry) {
        entry = { key: key, who: who, value: state.group ? row.value : "", count: 0, days: {}, sums: {} };
        SUMS.forEach(function (name) { entry.sums[name] = 0n; });
        found.set(key, entry);
      }
      if (who === "other" && row.value_count !== undefined) { entry.count = Math.max(entry.count, Number(row.value_count)); }
      SUMS.forEach(function (name) { entry.sums[name] += row[name]; });
      entry.days[row.usage_date] = (entry.days[row.usage_date] || 0n) + row[MEASURES[state.measure].key];
    });
    var key = MEASURES[state.measure].key;
    return Array.from(found.values()).sort(function (a, b) {
      if ((a.who === "other") !== (b.who === "other")) { return a.who === "other" ? 1 : -1; }
      var order = [key, "total_cost_usd", "total_tokens", "call_count"];
      for (var i = 0; i < order.length; i += 1) { if (a.sums[order[i]] !== b.sums[order[i]]) { return a.sums[order[i]] > b.sums[order[i]] ? -1 : 1; } }
      return a.key < b.key ? -1 : 1;
    });
  }
  /* The first of the groups, and all others as one that makes up the rest to the last digit. */
  function cut(groups, most) {
    var whole = groups.filter(function (group) { return group.who !== "other"; });
    var beyond = groups.filter(function (group) { return group.who === "other"; });
    if (whole.length <= most && !beyond.length) { return groups; }
    var rest = whole.slice(most).concat(beyond);
    if (!rest.length) { return whole; }
    var other = { key: "other", who: "other", value: null, count: 0, days: {}, sums: {}, isCut: whole.length > most };
    SUMS.forEach(function (name) { other.sums[name] = 0n; });
    rest.forEach(function (group) {
      other.count += group.who === "other" ? group.count : 1;
      SUMS.forEach(function (name) { other.sums[name] += group.sums[name]; });
      Object.keys(group.days).forEach(function (day) { other.days[day] = (other.days[day] || 0n) + group.days[day]; });
    });
    return whole.slice(0, most).concat([other]);
  }
  function sumOf(groups, key) { return groups.reduce(function (sum, group) { return sum + group.sums[key]; }, 0n); }

  /* --- drawing ------------------------------------------------------------------------------------------------------ */
  function isDefault() { return state.measure === "cost" && !state.group && !state.filters.length; }
  function addFilter(group) {
    if (!state.group || (group.who === "other" && group.isCut)) { return; }
    state.filters = state.filters.filter(function (filter) { return filter.dimension !== state.group; })
      .concat([{ dimension: state.group, who: group.who, value: group.value }]);
    update();
  }
  function canFilter(group) { return Boolean(state.group) && !(group.who === "other" && group.isCut) && !state.filters.some(function (filter) { return filter.dimension === state.group; }); }

  function drawHead(all, before) {
    var measure = MEASURES[state.measure];
    id("h-cost").textContent = measure.title + (state.group ? " by " + labels[state.group].toLowerCase().replace("api", "API") : "");
    document.querySelectorAll("#measure button").forEach(function (button) { button.setAttribute("aria-pressed", String(button.getAttribute("data-measure") === state.measure)); });
    id("group").value = state.group;
    id("previous-label").hidden = Boolean(state.group);
    var chips = CU.clear(id("chips"));
    chips.hidden = !state.filters.length;
    state.filters.forEach(function (filter) {
      var name = nameOf({ who: filter.who, value: filter.value, count: 0 });
      CU.put(chips, CU.el("button", { type: "button", class: "chip", title: "Remove this filter" }, [CU.el("span", { class: "hidden-text" }, "Remove filter "), CU.el("span", { class: "chip-key" }, labels[filter.dimension]), CU.el("span", { dir: "auto", class: "chip-value" }, name), CU.el("span", { "aria-hidden": "true" }, "×")]));
      chips.lastChild.addEventListener("click", function () { state.filters = state.filters.filter(function (other) { return other !== filter; }); update(); });
    });
    if (state.filters.length) {
      var part = sumOf(all, measure.key), whole = A.total(A.between("total", shown.first, shown.last), measure.key);
      CU.put(chips, CU.el("span", { class: "chip-sum", title: measure.exact(part) }, measure.show(part) + " of " + measure.show(whole) + ", " + f.percent(part, whole)));
    }
  }
  function drawLegend(groups, colours) {
    var measure = MEASURES[state.measure], whole = sumOf(groups, measure.key);
    var list = CU.clear(id("l-cost"));
    if (!state.group) {
      CU.put(list, [CU.el("li", {}, [CU.el("span", { class: "swatch s1" }), measure.label]), CU.el("li", {}, [CU.el("span", { class: "swatch before" }), "Previous period"])]);
      return;
    }
    groups.forEach(function (group, i) {
      var content = [CU.el("span", { class: "swatch " + colours[i] }), CU.el("span", { class: "legend-name", dir: "auto", title: nameOf(group) }, nameOf(group)), CU.el("span", { class: "legend-share" }, f.percent(group.sums[measure.key], whole))];
      var item = canFilter(group) ? CU.el("button", { type: "button", class: "legend-item", title: "Show " + nameOf(group) + " alone" }, content) : CU.el("span", { class: "legend-item" }, content);
      if (canFilter(group)) { item.addEventListener("click", function () { addFilter(group); }); }
      CU.put(list, CU.el("li", {}, item));
    });
  }
  function drawChart(groups, colours, before) {
    var measure = MEASURES[state.measure], days = shown.days;
    var figure = id("c-cost");
    var provisional = days.indexOf(config.range.provisional_day);
    var series = groups.map(function (group, i) { return { tone: state.group ? colours[i] : "s1", values: days.map(function (day) { return group.days[day] || 0n; }) }; });
    var past = state.group ? null : shown.earlier.map(function (day) { return before.reduce(function (sum, group) { return sum + (group.days[day] || 0n); }, 0n); });
    CU.charts.stackedBars(figure, days.map(f.dayShort), null, series, measure.show, past, provisional);
    CU.charts.explain(figure, {
      tip: function (i) {
        var whole = series.reduce(function (sum, part) { return sum + part.values[i]; }, 0n);
        var list = groups.map(function (group, k) { return { label: state.group ? nameOf(group) : measure.label, tone: series[k].tone, text: measure.exact(series[k].values[i]), value: series[k].values[i] }; })
          .filter(function (row) { return row.value; });
        if (state.group || !list.length) { list.push({ label: "Total", sum: true, text: measure.exact(whole) }); }
        if (past) { list.push({ label: f.dayShort(shown.earlier[i]), tone: "before", text: measure.exact(past[i]) }); }
        return { title: f.day(days[i]), rows: list, note: i === provisional ? "Provisional: this day had not ended." : null };
      },
      pick: function (i, part) {
        if (part !== null && state.group && groups[part] && canFilter(groups[part])) { addFilter(groups[part]); }
        else { CU.range.set(days[i], days[i]); }
      },
      hint: state.group && !state.filters.some(function (filter) { return filter.dimension === state.group; }) ? "Click a part to filter by it" : days.length > 1 ? "Click to see this day alone" : null
    });
  }
  function drawTable(all, before) {
    var measure = MEASURES[state.measure], whole = sumOf(all, measure.key);
    var list = state.isWhole ? all : cut(all, ROWS);
    var old = new Map(before.map(function (group) { return [group.key, group.sums[measure.key]]; }));
    var restBefore = sumOf(before, measure.key) - list.reduce(function (sum, group) { return group.isCut ? sum : sum + (old.get(group.key) || 0n); }, 0n);
    var colours = state.group ? tones(state.group, cut(all, SERIES)) : [];
    var hasPast = shown.earlier[shown.earlier.length - 1] >= config.range.first_usage_day;
    function cells(name, sums, past, title) {
      var price = A.cost(sums.total_cost_usd, sums.unpriced_call_count, sums.unpriced_total_tokens);
      return [CU.el("td", { class: "name" }, name),
        CU.el("td", { class: "num", title: price[1] }, price[0]),
        CU.el("td", { class: "num", title: f.count(sums.total_tokens) }, f.countShort(sums.total_tokens)),
        CU.el("td", { class: "num" }, f.count(sums.call_count)),
        CU.el("td", { class: "num" }, f.credits(sums.task_credits)),
        CU.el("td", { class: "num", title: f.moneyExact(sums.external_cost_usd) }, f.money(sums.external_cost_usd)),
        CU.el("td", { class: "num share", title: measure.label + ": " + measure.exact(sums[measure.key]) }, [CU.charts.meter(sums[measure.key], whole), CU.el("span", {}, f.percent(sums[measure.key], whole))]),
        CU.el("td", { class: "num", title: hasPast ? measure.exact(past) : null }, hasPast ? measure.show(past) : f.MISSING),
        CU.el("td", { class: "num" }, hasPast ? f.change(sums[measure.key], past) : f.MISSING)];
    }
    var body = id("x-groups").tBodies[0];
    body.replaceChildren.apply(body, list.map(function (group, i) {
      var text = [i < SERIES && group.who === "value" ? CU.el("span", { class: "swatch " + colours[i] }) : CU.el("span", { class: "swatch other" }), CU.el("span", { dir: "auto", title: nameOf(group) }, nameOf(group))];
      var name = canFilter(group) ? CU.el("button", { type: "button", class: "entity" }, text) : CU.el("span", { class: "entity" }, text);
      if (canFilter(group)) { name.addEventListener("click", function () { addFilter(group); }); }
      return CU.el("tr", {}, cells(name, group.sums, group.isCut ? restBefore : old.get(group.key) || 0n));
    }));
    if (!list.length) { body.replaceChildren(CU.el("tr", {}, CU.el("td", { class: "empty", colspan: 9 }, "Nothing in this range."))); }
    var sums = {};
    SUMS.forEach(function (name) { sums[name] = sumOf(all, name); });
    id("x-groups").tFoot.replaceChildren(CU.el("tr", {}, cells("All", sums, sumOf(before, measure.key))));
    id("x-groups").tHead.rows[0].cells[0].textContent = state.group ? labels[state.group] : "Usage";
    var more = id("explore-more");
    var hidden = all.length - (state.isWhole ? all.length : Math.min(all.length, ROWS + 1));
    more.hidden = !state.isWhole && hidden <= 0;
    more.textContent = state.isWhole ? "Show the first " + ROWS : "Show all " + f.count(all.length);
    if (state.isWhole && all.length <= ROWS + 1) { more.hidden = true; }
    var cutOff = all.find(function (group) { return group.who === "other"; });
    id("explore-note").textContent = cutOff ? "Of a month, the first " + config.values_per_month + " values by cost, tokens or calls stand apart; the others are summed under Other." : "";
  }
  function drawDays(groups) {
    var table = id("x-days"), measure = MEASURES[state.measure];
    table.tHead.rows[0].replaceChildren.apply(table.tHead.rows[0], [CU.el("th", { scope: "col" }, "Day")].concat(groups.map(function (group) { return CU.el("th", { scope: "col", class: "num clip", title: nameOf(group) }, state.group ? nameOf(group) : measure.label); }), [CU.el("th", { scope: "col", class: "num" }, "Total")]));
    table.tBodies[0].replaceChildren.apply(table.tBodies[0], shown.days.slice().reverse().map(function (day) {
      var whole = groups.reduce(function (sum, group) { return sum + (group.days[day] || 0n); }, 0n);
      return CU.el("tr", {}, [CU.el("td", {}, f.day(day) + (day === config.range.provisional_day ? " (provisional)" : ""))].concat(groups.map(function (group) {
        var value = group.days[day] || 0n;
        return CU.el("td", { class: "num", title: measure.exact(value) }, measure.show(value));
      }), [CU.el("td", { class: "num", title: measure.exact(whole) }, measure.show(whole))]));
    }));
  }
  var plainLegend = Array.from(id("l-cost").childNodes);
  function draw() {
    var isPlain = isDefault();
    id("explore-plain").hidden = !isPlain;
    id("explore-table").hidden = isPlain;
    if (isPlain) {
      drawHead([], []);
      id("l-cost").replaceChildren.apply(id("l-cost"), plainLegend);
      return;
    }
    var all = grouped(rows(shown.first, shown.last));
    var before = grouped(rows(shown.earlier[0], shown.earlier[shown.earlier.length - 1]));
    var groups = cut(all, SERIES);
    var colours = state.group ? tones(state.group, groups) : [];
    drawHead(all, before);
    drawLegend(groups, colours);
    drawChart(groups, colours, before);
    drawTable(all, before);
    drawDays(groups);
  }

  /* --- state and address ---------------------------------------------------------------------------------------------- */
  var turn = 0;
  function write() {
    var parts = new URLSearchParams(location.hash.slice(1));
    ["measure", "by", "only"].forEach(function (name) { parts.delete(name); });
    if (state.measure !== "cost") { parts.set("measure", state.measure); }
    if (state.group) { parts.set("by", state.group); }
    state.filters.forEach(function (filter) { parts.append("only", filter.dimension + "~" + (filter.who === "value" ? "=" + filter.value : filter.who)); });
    history.replaceState(history.state, "", parts.toString() ? "#" + parts.toString() : location.pathname + location.search);
  }
  function read() {
    var parts = new URLSearchParams(location.hash.slice(1));
    state.measure = MEASURES.hasOwnProperty(parts.get("measure")) ? parts.get("measure") : "cost";
    state.group = labels.hasOwnProperty(parts.get("by")) ? parts.get("by") : "";
    state.filters = parts.getAll("only").map(function (text) {
      var at = text.indexOf("~"), value = text.slice(at + 1);
      return { dimension: text.slice(0, at), who: value[0] === "=" ? "value" : value, value: value[0] === "=" ? value.slice(1) : null };
    }).filter(function (filter) { return labels.hasOwnProperty(filter.dimension) && ["value", "unsaid", "other"].indexOf(filter.who) >= 0; });
  }
  function update() {
    var mine = (turn += 1);
    write();
    return A.ready().then(function (now) {
      shown = now;
      return loadCubes(now.earlier[0], now.last).then(function () {
        if (mine !== turn) { return; }
        A.setLens(state.filters.length ? lens : null);
        sayFollowing();
        A.redraw();
        draw();
        document.documentElement.setAttribute("data-explore", [state.measure, state.group].concat(state.filters.map(function (filter) { return filter.dimension + "=" + (filter.value === null ? filter.who : filter.value); })).join("/"));
      });
    }).catch(function (error) { CU.range.say("This view cannot be shown: " + error.message); });
  }
  CU.explore = {
    /* Called before a range is drawn: what a filter needs is loaded. */
    prepare: function (first, last) {
      return loadCubes(first, last).then(function () { A.setLens(state.filters.length ? lens : null); sayFollowing(); });
    },
    /* Called after each change of the range, when the default view has been drawn. */
    show: function (now) {
      shown = now;
      if (!isDefault()) { draw(); }
    }
  };
  id("measure").addEventListener("click", function (event) {
    var name = event.target.getAttribute("data-measure");
    if (name) { state.measure = name; update(); }
  });
  id("group").addEventListener("change", function () { state.group = id("group").value; state.isWhole = false; update(); });
  id("explore-more").addEventListener("click", function () { state.isWhole = !state.isWhole; draw(); });
  id("explore-csv").addEventListener("click", function () {
    A.ready().then(function (now) {
      shown = now;
      return loadCubes(now.earlier[0], now.last).then(function () {
        var list = rows(now.first, now.last);
        var found = new Map();
        list.forEach(function (row) {
          var name = !state.group ? "" : nameOf({ who: row.who, value: row.value, count: 0 });
          var key = JSON.stringify([row.usage_date, name]);
          if (!found.has(key)) { found.set(key, { day: row.usage_date, name: name, sums: SUMS.map(function () { return 0n; }) }); }
          SUMS.forEach(function (sum, i) { found.get(key).sums[i] += row[sum]; });
        });
        var head = ["usage_date"].concat(state.group ? [state.group] : [], SUMS);
        CU.download(config.workspace + "-usage" + (state.group ? "-by-" + state.group : "") + "-" + now.first + "-" + now.last + ".csv", CU.csv([head].concat(Array.from(found.values()).map(function (entry) {
          return [entry.day].concat(state.group ? [entry.name] : [], entry.sums.map(function (value, i) { return /_usd$|credits$/.test(SUMS[i]) ? f.plainDecimal(value) : String(value); }));
        }))));
      });
    });
  });
  read();
  if (!isDefault()) { update(); }
  window.addEventListener("hashchange", function () {
    var before = JSON.stringify([state.measure, state.group, state.filters]);
    read();
    if (JSON.stringify([state.measure, state.group, state.filters]) !== before) { update(); }
  });
})();
