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
      if (group.who !== "value") { return group.who; }
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
  /* Parts of the cube: [{month, values, ...}], each holds some days of a month; loaded when somebody filters. */
  function partsOf(first, last) {
    var found = [];
    A.monthsOf(first, last).forEach(function (month) {
      (config.cube_parts[month] || []).forEach(function (days, part) { if (days[0] <= last && days[1] >= first) { found.push({ month: month, key: CU.part(month, part, "p") }); } });
    });
    return found;
  }
  /* What the state needs beside the daily figures. */
  function loadMore(first, last) {
    if (!state.filters.length) { return state.group ? A.load(first, last, ["by_" + state.group]) : Promise.resolve(); }
    return Promise.all(partsOf(first, last).map(function (part) {
      if (cubes[part.key]) { return null; }
      return CU.load("cube", part.key).then(function (data) {
        if (data === null) { throw new Error("data/cube/" + part.key + ".js is missing"); }
        if (!cubes[part.key]) { cubes[part.key] = readPart(part.month, data); }
        CU.forget("cube", part.key);
      });
    }));
  }
  function readPart(month, data) {
    var size = CU.store.sizeOf(data), columns = {};
    var days = CU.store.spread(data.day, size);
    config.cube_sums.forEach(function (name) { columns[name] = CU.store.column(data[name], size); });
    return { month: month, values: data.values, days: days, starts: CU.store.startsOf(days, size), columns: columns,
      places: ORDER.map(function (name) { return CU.store.spread(data[name], size); }), isModelCall: CU.store.spread(data.is_model_call, size) };
  }
  var ORDER = config.dimensions.map(function (dimension) { return dimension[0]; });
  function decoded(values, place) {
    return place === -2 ? { who: "unsaid", value: null } : place === -1 ? { who: "other", value: null } : { who: "value", value: values[place] };
  }
  /* The cube's rows that pass the filters, by some dimensions: [{id, key: [{who, value}, …], sums}]; with `daily`, a measure, also days. */
  function cubeGroups(first, last, dimensions, options) {
    var registry = new CU.store.Registry(), at = dimensions.map(function (name) { return ORDER.indexOf(name); });
    var slices = partsOf(first, last).map(function (found) {
      var cube = cubes[found.key], edges = CU.store.slice(cube.starts, cube.month, first, last);
      var from = edges[0], to = edges[1], places = new Int32Array(Math.max(0, to - from)).fill(-1);
      /* A filter is a place in this month's list; a month without the value has none. */
      var wanted = state.filters.map(function (filter) {
        var place = ORDER.indexOf(filter.dimension);
        return [cube.places[place], filter.who === "unsaid" ? -2 : filter.who === "other" ? -1 : cube.values[place].indexOf(filter.value)];
      });
      if (wanted.some(function (pair, i) { return pair[1] === -1 && state.filters[i].who !== "other"; })) { return null; }
      var known = new Map();
      for (var i = from; i < to; i += 1) {
        for (var w = 0; w < wanted.length && wanted[w][0][i] === wanted[w][1]; w += 1) { /* until one differs */ }
        if (w < wanted.length || (options.isModelOnly && !cube.isModelCall[i])) { continue; }
        var code = options.isByDay ? cube.days[i] : 0;
        for (var d = 0; d < at.length; d += 1) { code = code * 4096 + cube.places[at[d]][i] + 2; }
        var place = known.get(code);
        if (place === undefined) {
          place = registry.place(options.isByDay ? [cube.month + "-" + String(cube.days[i]).padStart(2, "0")] : at.map(function (k) { return decoded(cube.values[k], cube.places[k][i]); }));
          known.set(code, place);
        }
        places[i - from] = place;
      }
      return { cube: cube, from: from, to: to, places: places };
    }).filter(Boolean);
    var size = registry.keys.length, sums = {};
    config.cube_sums.forEach(function (name) {
      sums[name] = new CU.store.Sums(size);
      slices.forEach(function (part) { sums[name].add(part.cube.columns[name], part.places, part.from, part.to); });
    });
    var days = [], byDay = null, dayPlace = {};
    if (options.daily) {
      days = A.daysBetween(first, last);
      days.forEach(function (day, place) { dayPlace[day] = place; });
      byDay = new CU.store.Sums(size * days.length);
      slices.forEach(function (part) {
        var ofDay = [];
        for (var i = 1; i <= 31; i += 1) { ofDay[i] = dayPlace[part.cube.month + "-" + String(i).padStart(2, "0")]; }
        for (i = 0; i < part.places.length; i += 1) { if (part.places[i] >= 0) { part.places[i] = part.places[i] * days.length + ofDay[part.cube.days[part.from + i]]; } }
        byDay.add(part.cube.columns[options.daily], part.places, part.from, part.to);
      });
    }
    return registry.keys.map(function (key, place) {
      var group = { id: registry.ids[place], key: key, sums: {}, days: {} };
      config.cube_sums.forEach(function (name) { group.sums[name] = sums[name].get(place); });
      days.forEach(function (day, d) { var value = byDay.get(place * days.length + d); if (value) { group.days[day] = value; } });
      return group;
    });
  }

  /* --- the other panels under a filter ------------------------------------------------------------------------------ */
  /* A table's rows as the filter leaves them; null where the table does not know what is filtered by. */
  var BY_MODEL = { unpriced: 1, differences: 1, observability: 1, model_latency: 1 };
  var NOT_FOLLOWING = { traces: "Runs, spans and tools are not kept by what is filtered by", odd: "Odd days are found over all usage, not within what is filtered by", users: "Users are not kept by what is filtered by" };
  function isByModelOnly() { return state.filters.every(function (filter) { return filter.dimension === "model" || filter.dimension === "provider"; }); }
  function ofDays(first, last, name) {
    return cubeGroups(first, last, [], { isByDay: true }).map(function (group) {
      var row = {};
      config.row_tables[name].forEach(function (column) { row[column[0]] = 0n; });
      return Object.assign(row, group.sums, { usage_date: group.key[0] });
    }).sort(function (a, b) { return a.usage_date < b.usage_date ? -1 : 1; });
  }
  function named(list, dimensions) {
    return list.map(function (group) { return { id: group.id, key: group.key.map(function (part) { return part.who === "other" ? "Other" : part.value; }), sums: group.sums }; });
  }
  var lens = {
    rows: function (name, first, last) {
      if (name === "total") { return ofDays(first, last, "total"); }
      if (name !== "tokens") { return null; }
      return ofDays(first, last, "tokens").map(function (row) {
        return Object.assign(row, { uncached_input_tokens: row.input_tokens - row.cached_tokens - row.cache_write_tokens, visible_output_tokens: row.output_tokens - row.reasoning_tokens });
      });
    },
    groups: function (name, first, last) {
      if (name === "services") { return named(cubeGroups(first, last, ["service"], {})); }
      return name === "models" ? named(cubeGroups(first, last, ["provider", "model"], { isModelOnly: true })) : null;
    },
    /* A condition on provider and model, which are the first keys of the tables that know them. */
    keep: function (name) {
      if (!BY_MODEL[name] || !isByModelOnly()) { return null; }
      return function (key, month) {
        return state.filters.every(function (filter) {
          var value = key[filter.dimension === "provider" ? 0 : 1];
          if (filter.who === "unsaid") { return value === null; }
          if (filter.who === "value") { return value === filter.value; }
          var cube = Object.values(cubes).find(function (part) { return part.month === month; });
          return value !== null && Boolean(cube) && cube.values[ORDER.indexOf(filter.dimension)].indexOf(value) < 0;
        });
      };
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
  /* The groups of the first panel: [{key, who, value, count, sums, days}]. */
  function grouped(first, last) {
    var key = MEASURES[state.measure].key, list;
    if (state.filters.length) {
      list = cubeGroups(first, last, state.group ? [state.group] : [], { daily: key }).map(function (group) {
        var part = group.key[0] || { who: "all", value: "" };
        return { key: part.who + "/" + part.value, who: part.who, value: part.value, count: 0, sums: group.sums, days: group.days };
      });
    } else if (state.group) {
      list = A.groups("by_" + state.group, first, last, { daily: key, highest: "value_count" }).map(function (group) {
        return { key: group.key[0] + "/" + group.key[1], who: group.key[0], value: group.key[1], count: group.key[0] === "other" ? group.highest : 0, sums: group.sums, days: group.days };
      });
    } else {
      var all = { key: "all/", who: "all", value: "", count: 0, days: {}, sums: {} }, rows = A.between("total", first, last);
      SUMS.forEach(function (name) { all.sums[name] = A.total(rows, name); });
      rows.forEach(function (row) { all.days[row.usage_date] = row[key]; });
      list = rows.length ? [all] : [];
    }
    return list.sort(function (a, b) {
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
    var all = grouped(shown.first, shown.last);
    var before = grouped(shown.earlier[0], shown.earlier[shown.earlier.length - 1]);
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
      return loadMore(now.earlier[0], now.last).then(function () {
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
      return loadMore(first, last).then(function () { A.setLens(state.filters.length ? lens : null); sayFollowing(); });
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
      return loadMore(now.earlier[0], now.last).then(function () {
        var days = A.daysBetween(now.first, now.last).map(function (day) { return { day: day, groups: grouped(day, day) }; });
        var found = new Map();
        days.forEach(function (held) {
          held.groups.forEach(function (group) { found.set(held.day + group.key, { day: held.day, name: state.group ? nameOf({ who: group.who, value: group.value, count: 0 }) : "", sums: SUMS.map(function (name) { return group.sums[name]; }) }); });
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
