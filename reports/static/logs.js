/* The three log tables: loads day chunks as they are needed, filters, sorts, pages, totals, CSV. Opens run sheets (sheet.js). */
(function () {
  "use strict";
  var CU = window.CU;
  var f = CU.format;
  var config = CU.config();
  var at = CU.positions(config.fields);
  var ROW_CAP = 100000; /* rows read for one filter or CSV: some 150 MB and a few seconds; what is beyond is said and one click away */
  var form = document.getElementById("log-controls");
  var totalsLine = document.getElementById("log-totals");
  var MONEY = { total_cost_usd: 1, total_wallet_cost_usd: 1 };
  var NOT_SAID = "?"; /* the other values of a list start with = */
  var NUMBERS = { completed_at: 1, total_tokens: 1, duration_ms: 1 };
  function get(row, name) { return row[at[name]]; }

  CU.tokenBreakdown = function (value, kind) {
    var rows = [["Input", f.count(value("total_input_tokens"))], ["of which cached", f.count(value("total_cached_tokens")), "part"],
      ["of which cache write", f.count(value("total_cache_write_tokens")), "part"], ["Output", f.count(value("total_output_tokens"))],
      ["of which reasoning", f.count(value("total_reasoning_tokens")), "part"], ["Image", f.count(value("total_image_tokens"))],
      ["Total", f.count(value("total_tokens")), "sum"], ["Citation (beside the total)", f.count(value("total_citation_tokens"))]];
    [["Audio input", "total_audio_input_tokens"], ["Audio output", "total_audio_output_tokens"]].forEach(function (item) {
      if (value(item[1])) { rows.push([item[0], f.count(value(item[1]))]); }
    });
    if (kind === "agent" || value("child_runs_total_tokens")) {
      rows.push(["Own", f.count(value("own_total_tokens")), "sum"], ["Image generation", f.count(value("own_image_tokens"))], ["Sub-agents (child runs)", f.count(value("child_runs_total_tokens"))]);
    }
    return CU.breakdown("Tokens", rows);
  };
  CU.costBreakdown = function (value) {
    var names = ["total_task_credit_cost_usd", "total_wallet_cost_usd", "total_cost_usd", "own_cost_usd", "image_generation_cost_usd", "child_runs_cost_usd", "total_external_cost_usd"];
    var amounts = names.map(function (name) { return f.toScaled(value(name)); });
    var text = f.moneyAligned(amounts);
    var rows = [["Estimated task credit cost", text[0]], ["Wallet charge", text[1]], ["Total", text[2], "sum"]];
    if (amounts[6] || value("charge_type") === "personal" || value("charge_type") === "mixed") { rows.push(["External provider charge (own key, not in total)", text[6]]); }
    rows.push(["Own", text[3], "sum"], ["Image generation", text[4]], ["Sub-agents (child runs)", text[5]]);
    rows.push(["Task credits", f.credits(f.toScaled(value("total_task_credits"))), "sum"]);
    if (value("unpriced_call_count")) {
      rows.push(["Unpriced calls, not in total", f.count(value("unpriced_call_count"))], ["their tokens", f.count(value("unpriced_total_tokens")), "part"]);
    }
    return CU.breakdown("Cost", rows);
  };

  /* --- finding a run by its id ---------------------------------------------------------------------------------- */
  CU.findRun = function (id) {
    var months = Object.keys(config.index_shards).sort().reverse();
    var match = /^req_([0-9a-f]{12})/.exec(id);
    if (match) { /* a time-ordered id says in which month to look first */
      var stamp = parseInt(match[1], 16);
      var guess = stamp < 8640000000000000 ? new Date(stamp).toISOString().slice(0, 7) : "";
      months.sort(function (a, b) { return Number(b === guess) - Number(a === guess); });
    }
    function look(position) {
      if (position >= months.length) { return Promise.resolve(null); }
      var month = months[position];
      return CU.load("index", CU.part(month, CU.shard(id, config.index_shards[month]), "s")).then(function (pairs) {
        var hit = (pairs || []).find(function (pair) { return pair[0] === id; });
        return hit ? { id: id, log: hit[1], day: hit[2] } : look(position + 1);
      });
    }
    return look(0);
  };
  /* Of runs that are asked for one after the other the last one is shown, whichever is read first. */
  CU.openRun = function (id) {
    CU.sheet.want(id);
    return CU.findRun(id).then(function (found) {
      if (!CU.sheet.isWanted(id)) { return "late"; }
      if (!found) { return false; }
      if (found.log !== "orphan" && found.log !== config.log) { location.href = found.log + ".html#run=" + encodeURIComponent(id); return "elsewhere"; }
      return CU.sheet.open(found.id, found.day);
    });
  };

  function fromHash() {
    var wanted = new URLSearchParams(location.hash.slice(1));
    var id = wanted.get("run");
    if (id) {
      if (CU.sheet.current() === id) { CU.sheet.want(id); } else { CU.openRun(id).then(function (found) { if (!found) { say("No run with the id " + id + " has been published for this workspace."); } }); }
    } else { CU.sheet.close(); }
    return wanted;
  }
  function say(text) { if (totalsLine) { totalsLine.textContent = text; } }

  if (!form) { fromHash(); window.addEventListener("hashchange", fromHash); return; }

  /* --- state ----------------------------------------------------------------------------------------------------- */
  var days = config.days;
  var state = { from: null, to: null, page: 0, size: 50, sort: null, shown: [] };
  var turn = 0;
  var body = document.querySelector("#log tbody");
  var pageState = document.getElementById("page-state");

  /* HTML makes other characters of some in an attribute: these values the page has as data, too. */
  Object.keys(config.exact_values).forEach(function (key) {
    config.exact_values[key].forEach(function (pair) { form.querySelector("select[data-filter='" + key + "']").options[pair[0] + 1].value = "=" + pair[1]; });
  });
  /* An input drops line breaks: what an address asked for is kept beside what the input made of it. */
  var asked = new Map();
  function setValue(input, value) {
    input.value = value;
    if (input.tagName === "INPUT" && input.value !== value) { asked.set(input, [input.value, value]); } else { asked.delete(input); }
  }
  function valueOf(input) { var pair = asked.get(input); return pair && pair[0] === input.value ? pair[1] : input.value; }
  function filters() {
    var found = [];
    form.querySelectorAll("[data-filter]").forEach(function (input) {
      if (valueOf(input) !== "") { found.push([input.getAttribute("data-filter"), valueOf(input), input.tagName === "SELECT"]); }
    });
    return found;
  }
  /* The filters stand in the address, so that what a reader sees can be sent on. */
  function writeFilters() {
    var parts = new URLSearchParams(location.hash.slice(1));
    form.querySelectorAll("[data-filter]").forEach(function (input) {
      var name = nameOf(input);
      if (valueOf(input) === "") { parts.delete(name); } else { parts.set(name, valueOf(input)); }
    });
    var text = parts.toString();
    if (text !== new URLSearchParams(location.hash.slice(1)).toString()) { history.replaceState(history.state, "", text ? "#" + text : location.pathname + location.search); }
  }
  function nameOf(input) { var key = input.getAttribute("data-filter"); return key === "user_id" ? "user" : key; }
  function readFilters() { /* whether any is another than before */
    var parts = new URLSearchParams(location.hash.slice(1)), isNew = false;
    form.querySelectorAll("[data-filter]").forEach(function (input) {
      var value = parts.get(nameOf(input)) || "";
      if (valueOf(input) === value) { return; }
      setValue(input, value); /* a list that does not have it stays empty */
      isNew = true;
    });
    return isNew;
  }
  function metadataMatches(text, wanted) {
    if (text === null) { return false; }
    var cut = wanted.indexOf("=");
    var key = (cut < 0 ? wanted : wanted.slice(0, cut)).trim();
    var data;
    try { data = CU.exactJson(text); } catch (error) { return false; /* not an object: it has no keys to match */ }
    if (data === null || typeof data !== "object" || !Object.prototype.hasOwnProperty.call(data, key)) { return false; }
    return cut < 0 || String(data[key]) === wanted.slice(cut + 1).trim();
  }
  function keeps(row, wanted) {
    return wanted.every(function (filter) {
      if (filter[0] === "metadata") { return metadataMatches(get(row, "user_metadata"), filter[1]); }
      var value = get(row, filter[0]);
      if (filter[2] && filter[1] === NOT_SAID) { return value === null; }
      if (value === null) { return false; }
      if (filter[2]) { return value === filter[1].slice(1); }
      if (filter[0] === "user_id") { return value === filter[1]; }
      return value.toLowerCase().indexOf(filter[1].toLowerCase()) >= 0;
    });
  }

  /* --- loading --------------------------------------------------------------------------------------------------- */
  function piecesOf(day) { /* [day, part, rows] */
    var found = [];
    for (var part = 0, left = day[1]; left > 0; part += 1, left -= config.rows_per_part) { found.push([day[0], part, Math.min(left, config.rows_per_part)]); }
    return found;
  }
  function pieces() { /* of the range, newest first */
    var found = [];
    for (var i = days.length - 1; i >= 0; i -= 1) {
      if (days[i][0] >= state.from && days[i][0] <= state.to) { found = found.concat(piecesOf(days[i])); }
    }
    return found;
  }
  function loadPiece(piece) {
    return CU.load(config.log, CU.part(piece[0], piece[1], "p")).then(function (rows) {
      if (rows === null) { throw new Error("data/" + config.log + "/" + CU.part(piece[0], piece[1], "p") + ".js is missing"); }
      return rows;
    });
  }
  function dayTotals() {
    var sums = { runs: 0, tokens: 0n, cost: 0n, credits: 0n, external: 0n, unpriced: 0n, unpricedTokens: 0n };
    days.forEach(function (day) {
      if (day[0] < state.from || day[0] > state.to) { return; }
      sums.runs += day[1]; sums.tokens += BigInt(day[2]); sums.cost += f.toScaled(day[3]); sums.credits += f.toScaled(day[4]);
      sums.external += f.toScaled(day[5]); sums.unpriced += BigInt(day[6]); sums.unpricedTokens += BigInt(day[7]);
    });
    return sums;
  }
  function rowTotals(rows) {
    var sums = { runs: rows.length, tokens: 0n, cost: 0n, credits: 0n, external: 0n, unpriced: 0n, unpricedTokens: 0n };
    rows.forEach(function (row) {
      sums.tokens += BigInt(get(row, "total_tokens")); sums.cost += f.toScaled(get(row, "total_cost_usd")); sums.credits += f.toScaled(get(row, "total_task_credits"));
      sums.external += f.toScaled(get(row, "total_external_cost_usd")); sums.unpriced += BigInt(get(row, "unpriced_call_count"));
      sums.unpricedTokens += BigInt(get(row, "unpriced_total_tokens"));
    });
    return sums;
  }
  function sayTotals(sums, suffix) {
    var lacks = f.unpriced(sums.unpriced, sums.unpricedTokens);
    CU.put(CU.clear(totalsLine), [
      CU.el("strong", {}, f.count(sums.runs) + (sums.runs === 1 ? " run" : " runs")), " · ",
      config.log === "workflows" ? null : f.count(sums.tokens) + " tokens · ",
      CU.el("span", { title: f.moneyExact(sums.cost) + lacks }, f.money(sums.cost) + lacks), " · " + f.credits(sums.credits) + " credits",
      sums.external ? CU.el("span", { title: f.moneyExact(sums.external) + lacks }, " · " + f.money(sums.external) + " external") : null,
      " · " + f.dayRange(state.from, state.to), suffix ? " · " + suffix : null]);
  }
  function sortKey(row) {
    var value = get(row, state.sort.key);
    if (value === null) { return null; }
    if (MONEY[state.sort.key]) { return f.toScaled(value); }
    if (Array.isArray(value)) { return value.length ? value.join(", ").toLowerCase() : null; }
    return NUMBERS[state.sort.key] ? value : value.toLowerCase();
  }
  function sorted(rows) {
    if (!state.sort) { return rows; }
    var turnTo = state.sort.down ? -1 : 1;
    return rows.map(function (row, i) { return [sortKey(row), i, row]; }).sort(function (a, b) {
      if (a[0] === null || b[0] === null) { return a[0] === b[0] ? a[1] - b[1] : a[0] === null ? 1 : -1; }
      return a[0] < b[0] ? -turnTo : a[0] > b[0] ? turnTo : a[1] - b[1];
    }).map(function (entry) { return entry[2]; });
  }

  function refresh() {
    var mine = (turn += 1);
    var wanted = filters();
    var list = pieces();
    markSort();
    document.documentElement.setAttribute("data-log", "busy");
    function done(rows, count) {
      show(rows, count);
      document.documentElement.setAttribute("data-log", "ready");
    }
    writeFilters();
    document.getElementById("csv-filtered").textContent = wanted.length ? "Filtered rows" : "All rows of the range";
    if (!wanted.length && !state.sort) { /* newest first: only the chunks of this page */
      document.getElementById("log-rest").hidden = true;
      var sums = dayTotals();
      var start = state.page * state.size, end = start + state.size, seen = 0, needed = [], skip = null;
      list.forEach(function (piece) {
        if (seen < end && seen + piece[2] > start) { if (skip === null) { skip = start - seen; } needed.push(piece); }
        seen += piece[2];
      });
      return Promise.all(needed.map(loadPiece)).then(function (parts) {
        if (mine !== turn) { return; }
        sayTotals(sums, "");
        var rows = [].concat.apply([], parts);
        done(rows.slice(skip || 0, (skip || 0) + state.size), sums.runs);
      }).catch(fail);
    }
    return readRows(list, wanted, function () { return mine === turn; }).then(function (found) {
      if (mine !== turn) { return; }
      sayTotals(rowTotals(found.rows), wanted.length ? "filtered" : "");
      sayRest(found);
      var start = state.page * state.size;
      done(sorted(found.rows).slice(start, start + state.size), found.rows.length);
    }).catch(fail);
  }
  /* The rows of these pieces that pass the filters, newest first, up to the cap: {rows, loaded, all, oldest}. */
  function readRows(list, wanted, isWanted) {
    var kept = [], loaded = 0, oldest = null, all = list.reduce(function (sum, piece) { return sum + piece[2]; }, 0);
    function next(position) {
      if (position >= list.length || loaded >= ROW_CAP) { return Promise.resolve(); }
      var some = list.slice(position, position + 6);
      return Promise.all(some.map(loadPiece)).then(function (parts) {
        if (!isWanted()) { return Promise.resolve(); }
        oldest = some[some.length - 1][0];
        parts.forEach(function (rows) { loaded += rows.length; rows.forEach(function (row) { if (keeps(row, wanted)) { kept.push(row); } }); });
        if (position + 6 < list.length) { say("Reading " + f.count(loaded) + " of " + f.count(all) + " runs…"); }
        return next(position + 6);
      });
    }
    return next(0).then(function () { return { rows: kept, loaded: loaded, all: all, oldest: oldest }; });
  }
  /* What a filter did not reach, and the way there. */
  function sayRest(found) {
    var line = CU.clear(document.getElementById("log-rest"));
    line.hidden = found.loaded >= found.all;
    if (line.hidden) { return; }
    var older = CU.el("button", { type: "button" }, "Search " + f.dayRange(state.from, found.oldest));
    older.addEventListener("click", function () { CU.range.set(state.from, found.oldest); });
    CU.put(line, ["Searched the newest " + f.count(found.loaded) + " of " + f.count(found.all) + " runs, back to " + f.day(found.oldest) + ". ", older]);
  }
  function fail(error) { say("The log cannot be shown: " + error.message); document.documentElement.setAttribute("data-log", "failed"); }

  /* --- drawing --------------------------------------------------------------------------------------------------- */
  function peekButton(text, label, build, more) {
    return CU.peek(CU.el("button", { type: "button", class: "peek", "aria-label": label + " " + text + (more || "") + ", breakdown" }, text), build);
  }
  /* Amounts of a column stand with their points below one another: what is missing behind the point is kept free. */
  function decimals(text) { return text.indexOf(".") < 0 ? 0 : text.length - text.indexOf(".") - 1; }
  function amount(content, text, most, lack) {
    var pad = CU.el("span", { class: "pad" });
    pad.style.width = most - decimals(text) + "ch";
    return CU.el("div", { class: "amount" }, [content, pad, lack ? CU.el("span", { class: "lack" }, lack) : null]);
  }
  function mostDecimals(rows, key) {
    return rows.reduce(function (most, row) { return Math.max(most, decimals(f.money(f.toScaled(get(row, key))))); }, 2);
  }
  function cell(row, column, most) {
    var key = column.key, value = get(row, key), content, title = null;
    function read(name) { return get(row, name); }
    if (key === "completed_at") {
      content = CU.el("a", { href: CU.hashWith("run", get(row, "run_id")), class: "open" }, value === null ? "not completed" : f.moment(value, config.time_zone));
      title = "Run " + get(row, "run_id") + ", started " + f.moment(get(row, "started_at"), config.time_zone);
    } else if (key === "status") { content = CU.status(value);
    } else if (key === "total_tokens") { content = peekButton(f.count(value), "Tokens", function () { return CU.tokenBreakdown(read, config.singular); });
    } else if (key === "total_cost_usd") {
      var cost = f.money(f.toScaled(value)), lack = f.unpricedShort(get(row, "unpriced_call_count"));
      content = amount(peekButton(cost, "Cost", function () { return CU.costBreakdown(read); }, lack), cost, most[key], lack);
    } else if (MONEY[key]) { content = amount(f.money(f.toScaled(value)), f.money(f.toScaled(value)), most[key]); title = f.moneyExact(f.toScaled(value));
    } else if (key === "duration_ms") { content = f.duration(value);
    } else if (key === "tools") { content = value && value.length ? value.join(", ") : f.MISSING; title = value && value.length ? content : null;
    } else { content = value === null ? f.MISSING : value; title = value; }
    var long = key === "name" || key === "tools" || key === "model" || key === "api_key" || key === "collaborator";
    return CU.el("td", { class: (column.number ? "num" : "") + (long ? " clip" : "") || null, title: title, dir: long ? "auto" : null, "data-key": key }, content);
  }
  function show(rows, count) {
    var pages = Math.max(1, Math.ceil(count / state.size));
    state.shown = rows.map(function (row) { return [get(row, "run_id"), get(row, "usage_date")]; });
    state.count = count;
    var most = { total_cost_usd: mostDecimals(rows, "total_cost_usd"), total_wallet_cost_usd: mostDecimals(rows, "total_wallet_cost_usd") };
    var lines = rows.map(function (row) {
      var id = get(row, "run_id");
      var line = CU.el("tr", { "data-run": id, "aria-selected": CU.sheet.current() === id ? "true" : null }, config.columns.map(function (column) { return cell(row, column, most); }));
      line.addEventListener("click", function (event) {
        if (!event.target.closest("a, button")) { location.hash = CU.hashWith("run", id); }
      });
      return line;
    });
    if (!lines.length) { lines.push(CU.el("tr", {}, CU.el("td", { class: "empty", colspan: config.columns.length }, "No run matches. Clear a filter or choose a longer range."))); }
    body.replaceChildren.apply(body, lines);
    pageState.textContent = count ? f.count(state.page * state.size + 1) + "–" + f.count(state.page * state.size + rows.length) + " of " + f.count(count) + " · page " + f.count(state.page + 1) + " of " + f.count(pages) : "";
    document.getElementById("page-previous").disabled = state.page === 0;
    document.getElementById("page-next").disabled = state.page + 1 >= pages;
  }
  function markSort() {
    document.querySelectorAll("#log th").forEach(function (th) {
      th.removeAttribute("aria-sort");
      if (state.sort && th.getAttribute("data-key") === state.sort.key) { th.setAttribute("aria-sort", state.sort.down ? "descending" : "ascending"); }
    });
  }

  /* Next and previous run for the sheet, across pages. */
  CU.step = function (id, direction) {
    var position = state.shown.findIndex(function (entry) { return entry[0] === id; });
    if (position < 0) { return Promise.resolve(null); }
    var target = state.shown[position + direction];
    if (target) { return Promise.resolve(target[0]); }
    var page = state.page + direction;
    if (page < 0 || page * state.size >= state.count) { return Promise.resolve(null); }
    state.page = page;
    return refresh().then(function () { var entry = state.shown[direction > 0 ? 0 : state.shown.length - 1]; return entry ? entry[0] : null; });
  };
  CU.markRun = function (id) {
    body.querySelectorAll("tr[data-run]").forEach(function (line) {
      if (line.getAttribute("data-run") === id) { line.setAttribute("aria-selected", "true"); } else { line.removeAttribute("aria-selected"); }
    });
  };

  /* --- controls -------------------------------------------------------------------------------------------------- */
  function restart() { state.page = 0; return refresh(); }
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  /* Not those of inputs: they come when the pointer is pressed on a row, which would be drawn anew before it is let go. */
  form.querySelectorAll("select[data-filter]").forEach(function (input) { input.addEventListener("change", restart); });
  form.querySelectorAll("input[data-filter]").forEach(function (input) { input.addEventListener("input", CU.debounce(300, restart)); });
  function clearFilters() { form.querySelectorAll("[data-filter]").forEach(function (input) { setValue(input, ""); }); }
  document.getElementById("clear-filters").addEventListener("click", function () { clearFilters(); state.sort = null; restart(); });
  var search = form.elements.run;
  function searchRun() {
    var id = search.value.trim();
    if (!id) { refresh(); return; }
    CU.openRun(id).then(function (found) {
      if (found === "elsewhere" || found === "late") { return; } /* a new hash here would call the way there off */
      if (found) { location.hash = CU.hashWith("run", id); }
      else if (search.value.trim() === id) { say("No run with the id " + id + " has been published for this workspace."); }
    });
  }
  search.addEventListener("input", CU.debounce(250, searchRun));
  search.addEventListener("keydown", function (event) { if (event.key === "Enter") { event.preventDefault(); searchRun(); } });
  document.querySelectorAll("#log .sort").forEach(function (button) {
    button.addEventListener("click", function () {
      var key = button.closest("th").getAttribute("data-key");
      if (!state.sort || state.sort.key !== key) { state.sort = { key: key, down: true }; }
      else if (state.sort.down) { state.sort.down = false; }
      else { state.sort = null; }
      restart();
    });
  });
  document.getElementById("page-previous").addEventListener("click", function () { state.page -= 1; refresh(); });
  document.getElementById("page-next").addEventListener("click", function () { state.page += 1; refresh(); });
  document.getElementById("page-size").addEventListener("change", function (event) { state.size = Number(event.target.value); restart(); });

  /* --- CSV: every field, exact, times in UTC ------------------------------------------------------------------------ */
  function csvOf(rows) {
    return CU.csv([config.fields].concat(rows.map(function (row) {
      return config.fields.map(function (name, i) {
        var value = row[i];
        if (value === null) { return ""; }
        return /_at$/.test(name) ? new Date(value).toISOString() : Array.isArray(value) ? value.join("; ") : value;
      });
    })));
  }
  function sayCsv(text) { document.getElementById("csv-state").textContent = text; }
  document.getElementById("csv-filtered").addEventListener("click", function () {
    var mine = turn;
    sayCsv("Reading…");
    readRows(pieces(), filters(), function () { return mine === turn; }).then(function (found) {
      if (mine !== turn) { sayCsv("The filters changed; ask again."); return; }
      CU.download([config.workspace, config.log, state.from, state.to].concat(filters().length ? ["filtered"] : []).join("-") + ".csv", csvOf(sorted(found.rows)));
      sayCsv(f.count(found.rows.length) + " rows" + (found.loaded < found.all ? ": of the newest " + f.count(found.loaded) + " of " + f.count(found.all) + " runs, back to " + f.day(found.oldest) + ". Take the days before by range or one by one." : "."));
      if (!filters().length && !state.sort) { sayTotals(dayTotals(), ""); }
    }).catch(function (error) { sayCsv("This cannot be read: " + error.message); });
  });
  var dayChoice = document.getElementById("csv-day");
  CU.put(dayChoice, days.slice().reverse().map(function (day) { return CU.el("option", { value: day[0] }, f.day(day[0]) + " · " + f.count(day[1]) + (day[1] === 1 ? " run" : " runs")); }));
  document.getElementById("csv-whole-day").addEventListener("click", function () {
    var day = days.find(function (entry) { return entry[0] === dayChoice.value; });
    sayCsv("Reading…");
    Promise.all(piecesOf(day).map(loadPiece)).then(function (parts) {
      var rows = [].concat.apply([], parts);
      CU.download([config.workspace, config.log, day[0]].join("-") + ".csv", csvOf(rows));
      sayCsv(f.count(rows.length) + " rows: all of " + f.day(day[0]) + ".");
    }).catch(function (error) { sayCsv("This day cannot be read: " + error.message); });
  });

  /* Menus close when something else is clicked, and by Escape. */
  document.addEventListener("click", function (event) {
    if (!event.isTrusted) { return; } /* a download is a click, too */
    document.querySelectorAll("details.columns[open]").forEach(function (menu) { if (!menu.contains(event.target)) { menu.open = false; } });
  });
  document.addEventListener("keydown", function (event) {
    var menu = event.key === "Escape" && event.target.closest ? event.target.closest("details.columns[open]") : null;
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); event.stopPropagation(); event.preventDefault(); return; }
    if (event.key === "/" && !event.target.matches("input, select, textarea") && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); search.focus(); }
  }, true);

  /* Column choice: hidden columns are remembered by key; a class on the table hides them. */
  var boxes = document.querySelectorAll("#columns input");
  function applyColumns() {
    var hidden = [];
    boxes.forEach(function (box, i) {
      document.getElementById("log").classList.toggle("hide-" + (i + 1), !box.checked);
      if (!box.checked) { hidden.push(box.value); }
    });
    return hidden;
  }
  var remembered = CU.recall(config.storage);
  if (Array.isArray(remembered)) { boxes.forEach(function (box) { box.checked = remembered.indexOf(box.value) < 0; }); }
  applyColumns();
  boxes.forEach(function (box) { box.addEventListener("change", function () { CU.remember(config.storage, applyColumns()); }); });

  fromHash();
  readFilters();
  CU.range.start(function (from, to) {
    state.from = from;
    state.to = to;
    restart();
  });
  window.addEventListener("hashchange", function () {
    fromHash();
    if (readFilters()) { restart(); }
  });
})();
