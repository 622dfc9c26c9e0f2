/* Twin of reports/analytics.py for any range that the reader chooses: the same sums, order and words from the months' chunks.
   Amounts are BigInt in units of 10^-12, counts are BigInt too. */
(function () {
  "use strict";
  var CU = window.CU;
  var f = CU.format;
  var config = CU.config();
  if (!config.range) { return; }
  var words = config.words;
  var months = {};
  var registries = {};

  /* A table is made ready when it is first asked for: a page needs few of the breakdowns. */
  function takeIn(month, kind, data) {
    var held = months[month] = months[month] || { buckets: [], raw: {}, tables: {}, kinds: {} };
    held.kinds[kind] = true;
    Object.keys(data).forEach(function (name) { if (name !== "buckets") { held.raw[name] = data[name]; } });
    (data.buckets || []).forEach(function (pair) { held.buckets[pair[0]] = pair[1]; });
  }
  function asRow(columns, values) {
    var row = {};
    for (var i = 0; i < columns.length; i += 1) {
      var value = values[i];
      row[columns[i][0]] = columns[i][1] ? f.toScaled(value) : typeof value === "number" ? BigInt(value) : value;
    }
    return row;
  }
  function registryOf(name) { return registries[name] || (registries[name] = new CU.store.Registry()); }
  function tableOf(month, name) {
    var held = months[month];
    if (!held || !held.raw[name]) { return null; }
    if (!held.tables[name]) {
      var columns = config.row_tables[name], keyed = config.keyed_tables[name];
      held.tables[name] = columns ? held.raw[name].map(function (values) { return asRow(columns, values); })
        : new CU.store.Table(month, held.raw[name], registryOf(name), keyed ? keyed.measures : null);
      delete held.raw[name];
      held.raw[name] = true;
    }
    return held.tables[name];
  }

  function monthsOf(first, last) { return config.months.filter(function (month) { return month >= first.slice(0, 7) && month <= last.slice(0, 7); }); }
  var KINDS = ["analytics", "latency"];
  function load(first, last, kinds) {
    return Promise.all(monthsOf(first, last).map(function (month) {
      return Promise.all((kinds || KINDS).map(function (kind) {
        if (months[month] && months[month].kinds[kind]) { return null; }
        return CU.load(kind, month).then(function (data) {
          if (data === null) { throw new Error("data/" + kind + "/" + month + ".js is missing"); }
          if (!months[month] || !months[month].kinds[kind]) { takeIn(month, kind, data); }
          CU.forget(kind, month);
        });
      }));
    }));
  }
  function tablesOf(name, first, last) {
    return monthsOf(first, last).map(function (month) { return tableOf(month, name); }).filter(Boolean);
  }
  /* Rows of a table with one row a day. */
  function between(name, first, last) {
    return [].concat.apply([], tablesOf(name, first, last)).filter(function (row) { return row.usage_date >= first && row.usage_date <= last; });
  }
  /* Groups of a keyed table, by its keys. */
  function groups(name, first, last, options) {
    return CU.store.groups(tablesOf(name, first, last), registryOf(name), config.keyed_tables[name].measures, first, last, options);
  }
  function percentiles(name, first, last, keep) {
    return CU.store.percentiles(tablesOf(name, first, last), registryOf(name), config.percentiles, bucketMiddle, first, last, keep);
  }
  /* What a reader filters by, from explore.js: rows of days, groups and a condition on keys; null where it cannot tell. */
  var lens = null;
  function seen(name, first, last) { return (lens && lens.rows(name, first, last)) || between(name, first, last); }
  function seenGroups(name, first, last) { return (lens && lens.groups(name, first, last)) || groups(name, first, last, { keep: lens && lens.keep(name) }); }
  function bucketMiddle(bucket) {
    for (var i = config.months.length - 1; i >= 0; i -= 1) {
      var held = months[config.months[i]];
      if (held && held.buckets[bucket] !== undefined) { return held.buckets[bucket]; }
    }
    throw new Error("no bounds for latency bucket " + bucket);
  }

  function total(rows, key) { return rows.reduce(function (sum, row) { return row[key] === null ? sum : sum + row[key]; }, 0n); }
  function sumsOf(list, measures) {
    var sums = {};
    measures.forEach(function (measure) { sums[measure] = list.reduce(function (sum, group) { return sum + group.sums[measure]; }, 0n); });
    return sums;
  }
  function ranked(list, measures) {
    return list.slice().sort(function (a, b) {
      for (var i = 0; i < measures.length; i += 1) {
        var x = a.sums[measures[i]], y = b.sums[measures[i]];
        if (x !== y) { return x > y ? -1 : 1; }
      }
      for (var k = 0; k < a.key.length; k += 1) {
        var s = a.key[k] || "", t = b.key[k] || "";
        if (s !== t) { return s < t ? -1 : 1; }
      }
      return 0;
    });
  }

  /* Cells are [text, exact, plain value for CSV, unpriced calls, their tokens]. */
  function plain(text) { return [text, "", text]; }
  function cash(value) { return [f.money(value), f.moneyExact(value), f.plainDecimal(value)]; }
  function cost(value, calls, tokens, isLong) {
    var lacks = f.unpriced(calls, tokens);
    return [f.money(value) + (isLong ? lacks : f.unpricedShort(calls)), f.moneyExact(value) + lacks, f.plainDecimal(value), calls, tokens];
  }
  function costOf(sums) { return cost(sums.total_cost_usd, sums.unpriced_call_count, sums.unpriced_total_tokens); }
  function part(value, calls, tokens) { return [f.money(value), f.moneyExact(value) + f.unpriced(calls, tokens), f.plainDecimal(value)]; }
  function number(value) { return [f.count(value), "", value === null ? "" : String(value)]; }
  function short(value) { var text = f.countShort(value), full = f.count(value); return [text, text === full ? "" : full, String(value)]; }
  function creditCell(value) { return [f.credits(value), "", f.plainDecimal(value)]; }
  function said(text) { return plain(text === null || text === "" ? words.not_said : text); }
  function milliseconds(value) {
    var known = value === undefined || value === null ? null : Number(value);
    return [f.duration(known), "", known === null ? "" : String(known)];
  }
  function latencies(found) { return config.percentiles.map(function (p) { return milliseconds(found ? found[p] : null); }); }

  function daysBetween(first, last) {
    var days = [];
    for (var day = first; day <= last; day = f.addDays(day, 1)) { days.push(day); }
    return days;
  }
  function byDay(rows) { var found = {}; rows.forEach(function (row) { found[row.usage_date] = row; }); return found; }
  function missing(count) { return Array.from({ length: count }, function () { return plain(f.MISSING); }); }
  function lower(text) { return text[0].toLowerCase() + text.slice(1); }

  function whole(value, calls, tokens) { return cost(value, calls, tokens, true); }
  function costParts(totals, previous) {
    function line(label, key, show, prefix) {
      var value = total(totals, key), old = total(previous, key);
      function cell(amount, rows) {
        return (show || part)(amount, total(rows, (prefix || "") + "unpriced_call_count"), total(rows, (prefix || "") + "unpriced_total_tokens"));
      }
      return [plain(label), cell(value, totals), cell(old, previous), plain(f.change(value, old))];
    }
    return {
      rows: [line("Wallet", "wallet_cost_usd"), line("Task credits (estimated)", "task_credit_cost_usd", cash)],
      footer: [line("Total cost", "total_cost_usd", whole),
        line("of which " + lower(words.unattributed), "unattributed_total_cost_usd", whole, "unattributed_"),
        line("External (own keys, not in the total)", "external_cost_usd")]
    };
  }
  function costDays(totals, days) {
    var found = byDay(totals);
    return {
      rows: days.slice().reverse().map(function (day) {
        var row = found[day];
        if (!row) { return [plain(f.day(day))].concat(missing(9)); }
        return [plain(f.day(day)), number(row.run_count), number(row.call_count), short(row.total_tokens), creditCell(row.task_credits),
          cash(row.wallet_cost_usd), cash(row.task_credit_cost_usd), costOf(row), cash(row.external_cost_usd),
          cost(row.unattributed_total_cost_usd, row.unattributed_unpriced_call_count, row.unattributed_unpriced_total_tokens)];
      }),
      footer: []
    };
  }

  function services(list, allCost) {
    var measures = ["call_count", "failed_call_count", "unpriced_call_count", "unpriced_total_tokens", "task_credits", "wallet_cost_usd", "task_credit_cost_usd", "total_cost_usd", "external_cost_usd"];
    function line(label, sums) {
      return [label, number(sums.call_count), number(sums.failed_call_count), creditCell(sums.task_credits), cash(sums.wallet_cost_usd),
        cash(sums.task_credit_cost_usd), costOf(sums), plain(f.percent(sums.total_cost_usd, allCost)), cash(sums.external_cost_usd)];
    }
    return {
      rows: ranked(list, ["total_cost_usd", "task_credits", "call_count"]).map(function (g) { return line(said(g.key[0]), g.sums); }),
      footer: list.length ? [line(plain("All services"), sumsOf(list, measures))] : []
    };
  }

  function models(list) {
    var measures = ["call_count"].concat(config.priced_tokens, ["unpriced_call_count", "unpriced_total_tokens", "provider_cost_usd", "total_cost_usd"]);
    function line(labels, sums) {
      var priced = sums.total_tokens - sums.unpriced_total_tokens;
      var rate = priced > 0n ? f.divideHalfEven(sums.provider_cost_usd * 1000000n, priced) : null;
      return labels.concat([number(sums.call_count)], config.priced_tokens.map(function (name) { return short(sums[name]); }), [
        part(sums.provider_cost_usd, sums.unpriced_call_count, sums.unpriced_total_tokens), costOf(sums),
        [f.money(rate), rate === null ? "" : f.moneyExact(rate), f.plainDecimal(rate)],
        [f.count(sums.unpriced_call_count), f.unpriced(sums.unpriced_call_count, sums.unpriced_total_tokens).replace(/^ \+ /, ""), String(sums.unpriced_call_count)]]);
    }
    return {
      rows: ranked(list, ["total_cost_usd", "provider_cost_usd", "total_tokens", "call_count"])
        .map(function (g) { return line([said(g.key[0]), said(g.key[1])], g.sums); }),
      footer: list.length ? [line([plain("All models"), plain("")], sumsOf(list, measures))] : []
    };
  }

  function unpriced(list) {
    var measures = ["call_count"].concat(config.priced_tokens, ["provider_cost_usd"]);
    function line(labels, sums, status) {
      return labels.concat([number(sums.call_count)], config.priced_tokens.map(function (name) { return short(sums[name]); }),
        [status === "unpriced" ? plain(f.MISSING) : cash(sums.provider_cost_usd)]);
    }
    var body = [], footer = [];
    [["unpriced", words.all_unpriced], ["partial", words.all_partly_priced]].forEach(function (item) {
      var chosen = list.filter(function (group) { return group.key[2] === item[0]; });
      ranked(chosen, ["total_tokens", "call_count"]).forEach(function (g) {
        body.push(line([said(g.key[0]), said(g.key[1]), plain(CU.word(words.reasons, g.key[3]))], g.sums, item[0]));
      });
      if (chosen.length) { footer.push(line([plain(item[1]), plain(""), plain("")], sumsOf(chosen, measures), item[0])); }
    });
    return { rows: body, footer: footer };
  }

  function differences(list) {
    var amounts = ["reported_cost_usd", "computed_cost_usd", "difference_usd", "at_stake_usd"];
    var measures = ["compared_call_count", "differing_call_count"].concat(amounts);
    function line(labels, sums) {
      return labels.concat([number(sums.compared_call_count), number(sums.differing_call_count)], amounts.map(function (name) { return cash(sums[name]); }));
    }
    return {
      rows: ranked(list, ["at_stake_usd", "differing_call_count"]).map(function (g) {
        var pricedAs = (g.key[2] || words.not_said) + " / " + (g.key[3] || words.not_said);
        return line([said(g.key[0]), said(g.key[1]), [pricedAs, pricedAs, pricedAs]], g.sums);
      }),
      footer: list.length ? [line([plain("All models"), plain(""), plain("")], sumsOf(list, measures))] : []
    };
  }

  function tokenTables(rows, previous, days) {
    var whole = total(rows, "total_tokens");
    function line(label, key) {
      var value = total(rows, key), old = total(previous, key);
      return [plain(label), number(value), plain(f.percent(value, whole)), number(old), plain(f.change(value, old))];
    }
    var found = byDay(rows);
    return {
      tokens: { rows: config.token_lines.map(function (item) { return line(item[0], item[1]); }), footer: [line("Total", "total_tokens")] },
      token_days: {
        rows: days.slice().reverse().map(function (day) {
          var row = found[day];
          return [plain(f.day(day))].concat(row ? config.token_series.map(function (item) { return number(row[item[1]]); }).concat([number(row.total_tokens)])
            : missing(config.token_series.length + 1));
        }),
        footer: []
      }
    };
  }

  function observability(list, found) {
    return {
      rows: ranked(list, ["call_count"]).map(function (g) {
        return [said(g.key[0]), said(g.key[1]), number(g.sums.call_count), number(g.sums.completed_call_count), number(g.sums.failed_call_count),
          plain(f.percent(g.sums.failed_call_count, g.sums.call_count))].concat(latencies(found.get(g.id)));
      }),
      footer: []
    };
  }

  function runs(list, found) {
    return {
      rows: ranked(list, ["run_count"]).map(function (g) {
        var completed = g.sums.completed_run_count;
        return [said(g.key[0]), number(g.sums.run_count), number(completed), number(g.sums.failed_run_count), plain(f.percent(g.sums.failed_run_count, g.sums.run_count)),
          milliseconds(completed ? f.divideHalfEven(g.sums.run_duration_ms, completed) : null)].concat(latencies(found.get(g.id)));
      }),
      footer: []
    };
  }

  function spans(list, spanDays, found) {
    var runTime = total(spanDays, "run_duration_ms");
    var measures = ["span_count", "failed_span_count", "span_duration_ms"];
    var named = ranked(list.filter(function (g) { return g.key[0] !== null; }), ["span_duration_ms", "span_count"]);
    function line(name, kind, sums, p95) {
      return [name, plain(kind), number(sums.span_count), plain(f.percent(sums.failed_span_count, sums.span_count)), milliseconds(p95),
        milliseconds(sums.span_duration_ms), plain(f.percent(sums.span_duration_ms, runTime))];
    }
    var lines = named.slice(0, config.top.spans).map(function (g) { return line(said(g.key[0]), g.key[1] || "", g.sums, (found.get(g.id) || {})[95]); });
    var rest = named.slice(config.top.spans).concat(list.filter(function (g) { return g.key[0] === null; }));
    if (rest.length) { lines.push(line(plain(words.other_spans), "", sumsOf(rest, measures), null)); }
    return { rows: lines, footer: [] };
  }

  function tools(list) {
    return {
      rows: ranked(list, ["call_count", "duration_ms"]).map(function (g) {
        return [said(g.key[0]), number(g.sums.call_count), number(g.sums.failed_call_count), plain(f.percent(g.sums.failed_call_count, g.sums.call_count)),
          milliseconds(g.sums.duration_ms), creditCell(g.sums.task_credits), costOf(g.sums)];
      }),
      footer: []
    };
  }

  function users(list, totals, order) {
    var measures = ["run_count", "total_tokens", "unpriced_call_count", "unpriced_total_tokens", "task_credits", "total_cost_usd"];
    var first = { cost: "total_cost_usd", requests: "run_count", tokens: "total_tokens" }[order];
    var allCost = total(totals, "total_cost_usd");
    function line(rank, label, sums) {
      return [plain(rank), plain(label), number(sums.run_count), short(sums.total_tokens), creditCell(sums.task_credits), costOf(sums),
        plain(f.percent(sums.total_cost_usd, allCost))];
    }
    var tracked = ranked(list.filter(function (g) { return g.key[0] === "user"; }), [first, "total_cost_usd", "run_count"]);
    var lines = tracked.slice(0, config.top.users).map(function (g, i) { return line(String(i + 1), g.key[1], g.sums); });
    var others = tracked.slice(config.top.users).concat(list.filter(function (g) { return g.key[0] === "other"; }));
    var unknown = list.filter(function (g) { return g.key[0] === "none"; });
    var unattributed = {};
    measures.forEach(function (measure) { unattributed[measure] = measure === "run_count" ? 0n : total(totals, "unattributed_" + measure); });
    if (others.length) { lines.push(line("", words.other_users, sumsOf(others, measures))); }
    if (unknown.length) { lines.push(line("", words.no_user, sumsOf(unknown, measures))); }
    if (total(totals, "unattributed_call_count")) { lines.push(line("", words.unattributed, unattributed)); }
    var all = {};
    measures.forEach(function (measure) { all[measure] = sumsOf(list, [measure])[measure] + unattributed[measure]; });
    return { rows: lines, footer: lines.length ? [line("", "All", all)] : [] };
  }

  /* The period before, as the tiles name it. */
  function previousOf(earlier) {
    var first = earlier[0], last = earlier[earlier.length - 1], start = config.range.first_usage_day;
    var name = f.dayRangeShort(first, last);
    if (last < start) { return { name: "no usage before " + f.day(start), hasData: false, isWhole: false }; }
    return { name: first < start ? name + ", from " + f.dayShort(start) + " on" : name, hasData: true, isWhole: first >= start };
  }
  function tiles(totals, previous, days, before, creditNote) {
    var found = byDay(totals);
    function daily(key) { return days.map(function (day) { return found[day] && found[day][key] !== null ? found[day][key] : 0n; }); }
    function against(text) { return before.hasData ? "against " + text + " in " + before.name : before.name; }
    function tile(label, key, texts, note, old, isBad) {
      var value = total(totals, key), earlier = total(previous, key);
      var delta = before.isWhole ? f.change(value, earlier) : "";
      return { label: label, text: texts[0], title: texts[1], note: note, baseline: against(old), delta: delta,
        tone: isBad && delta ? (value > earlier ? "worse" : value < earlier ? "better" : "") : "", values: daily(key) };
    }
    function amount(key, label, note, show, exact) {
      var value = total(totals, key);
      return tile(label, key, [show(value), exact(value)], note, show(total(previous, key)));
    }
    var lacking = total(totals, "unpriced_call_count"), lacked = total(previous, "unpriced_call_count"), calls = total(totals, "call_count");
    var tokens = total(totals, "unpriced_total_tokens");
    var said = f.unpriced(lacking, tokens);
    var now = total(totals, "total_cost_usd");
    var count = total(totals, "run_count"), failed = total(totals, "failed_run_count");
    var countBefore = total(previous, "run_count"), failedBefore = total(previous, "failed_run_count");
    var points = before.isWhole ? f.points(failed, count, failedBefore, countBefore) : "";
    var of = daily("run_count");
    var runTiles = [
      amount("run_count", "Runs", "", f.countShort, f.count),
      { label: "Error rate", text: f.percent(failed, count), title: f.count(failed) + " of " + f.count(count) + " runs", note: f.count(failed) + " of " + f.count(count) + " runs failed",
        baseline: against(f.percent(failedBefore, countBefore)), delta: points, tone: { "+": "worse", "-": "better" }[points.slice(0, 1)] || "",
        values: daily("failed_run_count").map(function (n, i) { return of[i] ? n * 1000000n / of[i] : 0n; }) }];
    if (lens) { runTiles = callTiles(); }
    /* A run may use several models: what is filtered are calls. */
    function callTiles() {
      var all = total(totals, "call_count"), bad = total(totals, "failed_call_count"), allBefore = total(previous, "call_count"), badBefore = total(previous, "failed_call_count");
      var moved = before.isWhole ? f.points(bad, all, badBefore, allBefore) : "", each = daily("call_count");
      return [amount("call_count", "Calls", "of the filter, instead of runs", f.countShort, f.count),
        { label: "Call error rate", text: f.percent(bad, all), title: f.count(bad) + " of " + f.count(all) + " calls", note: f.count(bad) + " of " + f.count(all) + " calls failed",
          baseline: against(f.percent(badBefore, allBefore)), delta: moved, tone: { "+": "worse", "-": "better" }[moved.slice(0, 1)] || "",
          values: daily("failed_call_count").map(function (n, i) { return each[i] ? n * 1000000n / each[i] : 0n; }) }];
    }
    return [
      tile("Total cost", "total_cost_usd", [f.money(now), f.moneyExact(now) + said], said.trim(), f.money(total(previous, "total_cost_usd")) + f.unpricedShort(lacked)),
      amount("task_credits", "Task credits", creditNote, f.credits, f.credits),
      amount("total_tokens", "Tokens", "", f.countShort, f.count),
      runTiles[0],
      runTiles[1],
      tile("Unpriced calls", "unpriced_call_count", [f.countShort(lacking), f.count(lacking)],
        lacking ? "of " + f.countShort(calls) + " calls; " + f.countShort(tokens) + " tokens" : "all " + f.countShort(calls) + " calls have a cost", f.countShort(lacked), true)
    ];
  }
  function drawTile(item) {
    return CU.el("div", { class: "tile" }, [CU.el("dt", {}, item.label), CU.el("dd", { class: "value", title: item.title }, item.text), CU.el("dd", { class: "note" }, item.note),
      CU.el("dd", { class: "baseline" }, [item.delta ? CU.el("span", { class: "delta" + (item.tone ? " " + item.tone : "") }, item.delta) : null, item.delta ? " " : null, item.baseline]),
      CU.charts.spark(item.values)]);
  }

  /* What the page and its credits tile say where credits have no price. */
  function creditNotes(totals) {
    var days = totals.filter(function (row) { return row.task_credits; }).map(function (row) { return row.usage_date; });
    if (days.length && !config.credit_prices.has_any) { return [words.no_credit_price, words.no_credit_price_short]; }
    var bare = days.filter(function (day) {
      return !config.credit_prices.stretches.some(function (stretch) { return (stretch[0] === null || stretch[0] <= day) && (stretch[1] === null || day < stretch[1]); });
    }).length;
    if (!bare) { return ["", ""]; }
    var said = "on " + f.count(bare) + " of " + f.count(days.length) + " days with credits";
    return ["No credit price set " + said + ": their task credits are counted, with a USD estimate of $0.00.", words.no_credit_price_short + " " + said];
  }

  var shown = null; /* {first, last, content}: what the page says now, for CSV and tooltips */

  function fill(name, content) {
    var table = document.getElementById("t-" + name);
    var numbers = config.numbers[name];
    function line(cells) {
      return CU.el("tr", {}, cells.map(function (cell, i) { return CU.el("td", { class: numbers[i] ? "num" : null, title: cell[1] || null }, cell[0]); }));
    }
    var body = content.rows.map(line);
    if (!body.length) { body.push(CU.el("tr", {}, CU.el("td", { class: "empty", colspan: numbers.length }, table.getAttribute("data-empty")))); }
    table.tBodies[0].replaceChildren.apply(table.tBodies[0], body);
    table.tFoot.replaceChildren.apply(table.tFoot, content.footer.map(line));
  }

  /* The budget of the month in which the range ends, and the odd days within it: the page has them all. */
  function watch(first, last) {
    document.querySelectorAll("[data-budget]").forEach(function (line) { line.hidden = line.getAttribute("data-budget") !== last.slice(0, 7); });
    var panel = document.getElementById("odd"), days = 0, things = 0;
    if (!panel) { return; }
    panel.querySelectorAll("tr[data-day]").forEach(function (row) {
      var day = row.getAttribute("data-day");
      row.hidden = day < first || day > last;
      if (!row.hidden) { things += 1; days += row.className === "leads" ? 1 : 0; }
    });
    panel.hidden = !days;
    document.getElementById("odd-summary").textContent = days + " day" + (days === 1 ? "" : "s") + ", " + things + " thing" + (things === 1 ? "" : "s") + " off what their weekday usually has.";
  }

  if (document.getElementById("odd-all")) {
    document.getElementById("odd-all").addEventListener("click", function (event) {
      event.target.setAttribute("aria-pressed", String(document.getElementById("odd-table").classList.toggle("all")));
    });
  }

  /* Panels out of sight are drawn after those in sight, each in a task of its own; whoever needs them sooner finishes them. */
  var later = [];
  function isInSight(name) {
    var table = document.getElementById("t-" + name);
    if (table.closest("details:not([open])")) { return false; }
    var box = table.closest(".panel").getBoundingClientRect();
    return box.top < window.innerHeight && box.bottom > 0;
  }
  function finish() { later = later.filter(function (panel) { if (panel.isReady()) { panel.draw(); return false; } return true; }); }
  /* Percentiles come from files of their own, twice as large as the sums: those are not waited for by what does not show any. */
  var WITH_PERCENTILES = { observability: true, runs: true };
  function hasLatency(first, last) { return monthsOf(first, last).every(function (month) { return months[month] && months[month].kinds.latency; }); }

  function render(first, last) {
    var days = daysBetween(first, last);
    var earlier = days.map(function (day) { return f.addDays(day, -days.length); });
    function now(name) { return seen(name, first, last); }
    function before(name) { return seen(name, earlier[0], earlier[earlier.length - 1]); }
    var totals = now("total"), previous = before("total");
    function list(name) { return seenGroups(name, first, last); }
    function latency(name) { return percentiles(name, first, last, lens && lens.keep(name)); }
    var notes = creditNotes(totals), content = {};
    function draw(made) { Object.keys(made).forEach(function (name) { content[name] = made[name]; fill(name, made[name]); }); }
    var below = [
      ["cost_days", function () { return { cost_days: costDays(totals, days) }; }],
      ["services", function () { return { services: services(list("services"), total(totals, "total_cost_usd")) }; }],
      ["models", function () { return { models: models(list("models")) }; }],
      ["unpriced", function () { return { unpriced: unpriced(list("unpriced")), differences: differences(list("differences")) }; }],
      ["tokens", function () { var rows = now("tokens"); drawTokens(rows); return tokenTables(rows, before("tokens"), days); }],
      ["observability", function () { return { observability: observability(list("observability"), latency("model_latency")) }; }],
      ["runs", function () {
        return { runs: runs(list("runs"), latency("run_latency")), spans: spans(list("spans"), now("span_days"), latency("span_latency")), tools: tools(list("tools")) };
      }],
      ["users_cost", function () {
        var found = groups("users", first, last), unfiltered = between("total", first, last), made = {}; /* users are not filtered, so they are parts of this */
        ["cost", "requests", "tokens"].forEach(function (order) { made["users_" + order] = users(found, unfiltered, order); });
        return made;
      }]].map(function (panel) {
        return {
          isInSight: isInSight(panel[0]), draw: function () { draw(panel[1]()); },
          isReady: function () { return !WITH_PERCENTILES[panel[0]] || hasLatency(first, last); }
        };
      });
    shown = { first: first, last: last, days: days, earlier: earlier, content: content };
    draw({ cost_parts: costParts(totals, previous) });
    watch(first, last);

    document.getElementById("previous-label").textContent = "Beside it the period before: " + f.dayRange(earlier[0], earlier[earlier.length - 1]);
    CU.put(CU.clear(document.getElementById("notes")), notes[0] ? CU.el("p", { class: "notice" }, notes[0]) : null);
    CU.put(CU.clear(document.getElementById("tiles")), tiles(totals, previous, days, previousOf(earlier), notes[1]).map(drawTile));

    var found = byDay(totals), old = byDay(previous);
    function value(row, key) { return row ? row[key] : 0n; }
    function lacks(row) { return row ? f.unpriced(row.unpriced_call_count, row.unpriced_total_tokens) : ""; }
    var wallet = days.map(function (day) { return value(found[day], "wallet_cost_usd"); });
    var credit = days.map(function (day) { return value(found[day], "task_credit_cost_usd"); });
    var past = earlier.map(function (day) { return value(old[day], "total_cost_usd"); });
    var labels = days.map(f.dayShort);
    var provisional = days.indexOf(config.range.provisional_day);
    function provisionalNote(i) { return i === provisional ? "Provisional: this day had not ended." : null; }
    var figure = document.getElementById("c-cost");
    CU.charts.stackedBars(figure, labels, days.map(function (day, i) {
      return f.day(day) + ": " + f.money(wallet[i] + credit[i]) + lacks(found[day]) + "; wallet " + f.money(wallet[i]) + ", task credits " + f.money(credit[i]) + ". "
        + f.day(earlier[i]) + ": " + f.money(past[i]) + lacks(old[earlier[i]]);
    }), [{ tone: "s1", values: wallet }, { tone: "s2", values: credit }], f.money, past, provisional);
    CU.charts.explain(figure, {
      tip: function (i) {
        return { title: f.day(days[i]), note: provisionalNote(i), rows: [
          { label: "Wallet", tone: "s1", text: f.moneyExact(wallet[i]) }, { label: "Task credits (estimated)", tone: "s2", text: f.moneyExact(credit[i]) },
          { label: "Total", sum: true, text: f.moneyExact(wallet[i] + credit[i]) + (lacks(found[days[i]]) && f.unpricedShort(found[days[i]].unpriced_call_count)) },
          { label: f.dayShort(earlier[i]), tone: "before", text: f.moneyExact(past[i]) + (lacks(old[earlier[i]]) && f.unpricedShort(old[earlier[i]].unpriced_call_count)) }] };
      },
      pick: function (i) { CU.range.set(days[i], days[i]); },
      hint: days.length > 1 ? "Click to see this day alone" : null
    });
    function drawTokens(rows) {
      var tokens = byDay(rows);
      var parts = config.token_series.map(function (item) { return { tone: item[2], values: days.map(function (day) { return value(tokens[day], item[1]); }) }; });
      var figure = document.getElementById("c-tokens");
      CU.charts.stackedBars(figure, labels, days.map(function (day) {
        return f.day(day) + ": " + config.token_series.filter(function (item) { return value(tokens[day], item[1]); })
          .map(function (item) { return item[0].toLowerCase() + " " + f.count(tokens[day][item[1]]); }).join(", ");
      }), parts, f.countShort, null, provisional);
      CU.charts.explain(figure, {
        tip: function (i) {
          return { title: f.day(days[i]), note: provisionalNote(i), rows: config.token_series.map(function (item, k) {
            return { label: item[0], tone: item[2], text: f.count(parts[k].values[i]) };
          }).concat([{ label: "Total, without citation", sum: true, text: f.count(value(tokens[days[i]], "total_tokens")) }]) };
        },
        pick: function (i) { CU.range.set(days[i], days[i]); },
        hint: days.length > 1 ? "Click to see this day alone" : null
      });
    }
    later = below.filter(function (panel) {
      if (panel.isInSight && panel.isReady()) { panel.draw(); return false; }
      return true;
    });
  }

  var turn = 0;
  function choose(first, last) {
    var mine = (turn += 1);
    var length = daysBetween(first, last).length;
    return load(f.addDays(first, -length), last, ["analytics"]).then(function () { return CU.explore ? CU.explore.prepare(f.addDays(first, -length), last) : null; }).then(function () {
      if (mine !== turn) { return null; }
      render(first, last);
      if (CU.explore) { CU.explore.show(shown); }
      document.documentElement.setAttribute("data-in-sight", first + "/" + last);
      return load(first, last, ["latency"]);
    }).then(function () {
      function rest() {
        if (mine !== turn) { return; }
        if (later.length) { later.shift().draw(); window.setTimeout(rest, 0); return; }
        document.documentElement.setAttribute("data-range", first + "/" + last);
      }
      if (document.hidden) { finish(); rest(); } else { window.requestAnimationFrame(function () { window.setTimeout(rest, 0); }); }
    }).catch(function (error) { finish(); CU.range.say("This range cannot be shown: " + error.message); });
  }
  /* The page opens with its default range already drawn; its numbers are read when they are needed, and draw the same. */
  function ready() {
    if (shown) { return Promise.resolve(shown); }
    var range = CU.range.get();
    return choose(range.first, range.last).then(function () { return shown; });
  }

  /* --- CSV of a table, exact ----------------------------------------------------------------------------------------- */
  function oddCsv() {
    var rows = Array.from(document.querySelectorAll("#odd-table tr")).filter(function (row) { return !row.hidden; });
    return CU.csv(rows.map(function (row) {
      return Array.from(row.cells).map(function (cell) { return cell.getAttribute("data-plain") || cell.textContent; });
    }));
  }
  function tableCsv(name) {
    if (name === "odd") { return oddCsv(); }
    finish();
    var content = shown.content[name];
    var head = Array.from(document.querySelectorAll("#t-" + name + " thead th")).map(function (th) { return th.textContent; });
    var lines = content.rows.concat(content.footer);
    var isLacking = lines.some(function (cells) { return cells.some(function (cell) { return cell.length > 3; }); });
    return CU.csv([head.concat(isLacking ? ["Unpriced calls", "Unpriced tokens"] : [])].concat(lines.map(function (cells) {
      var lacks = cells.find(function (cell) { return cell.length > 3; });
      return cells.map(function (cell) { return Array.isArray(cell) ? cell[2] : cell; }).concat(isLacking ? (lacks ? [String(lacks[3]), String(lacks[4])] : ["", ""]) : []);
    })));
  }
  document.querySelectorAll("[data-csv]").forEach(function (button) {
    button.addEventListener("click", function () {
      ready().then(function () {
        var name = button.getAttribute("data-csv");
        if (name === "users") { name = "users_" + document.querySelector("#user-order [aria-pressed=true]").getAttribute("data-order"); }
        CU.download(config.workspace + "-" + name + "-" + shown.first + "-" + shown.last + ".csv", tableCsv(name));
      });
    });
  });
  ["c-cost", "c-tokens"].forEach(function (id) {
    var figure = document.getElementById(id);
    ["pointerenter", "focusin"].forEach(function (name) { figure.addEventListener(name, ready, { once: true }); });
  });

  window.addEventListener("beforeprint", finish);

  function showUsers(order) {
    document.querySelectorAll("[data-users]").forEach(function (part) { part.hidden = part.getAttribute("data-users") !== order; });
    document.querySelectorAll("#user-order button").forEach(function (button) { button.setAttribute("aria-pressed", String(button.getAttribute("data-order") === order)); });
  }
  document.getElementById("user-order").addEventListener("click", function (event) {
    var order = event.target.getAttribute("data-order");
    if (order) { showUsers(order); }
  });
  showUsers("cost");
  CU.analytics = { ready: ready, redraw: function () { render(shown.first, shown.last); finish(); }, setLens: function (wanted) { lens = wanted; }, load: load, monthsOf: monthsOf, between: between, groups: groups, tableCsv: tableCsv, total: total, daysBetween: daysBetween, cost: cost, config: config };

  /* The page already shows its default range. */
  var isStart = true;
  CU.range.start(function (first, last) {
    if (!isStart || !CU.range.isDefault()) { choose(first, last); }
    isStart = false;
  });

  /* While nobody waits, the longest of the offered ranges and the period before it are read and made ready, the newest month first. */
  var AHEAD_DAYS = 180;
  function idle(action) { if (window.requestIdleCallback) { window.requestIdleCallback(action, { timeout: 2000 }); } else { window.setTimeout(action, 200); } }
  function readAhead(wanted) {
    var month = wanted.pop();
    if (!month) { document.documentElement.setAttribute("data-ahead", "read"); return; }
    load(month + "-01", month + "-31", month < f.addDays(config.range.last_day, 1 - AHEAD_DAYS / 2).slice(0, 7) ? ["analytics"] : KINDS).then(function () {
      Object.keys(months[month].raw).reduce(function (before, name) {
        return before.then(function () { return new Promise(function (done) { idle(function () { tableOf(month, name); done(); }); }); });
      }, Promise.resolve()).then(function () { readAhead(wanted); });
    }).catch(function () { /* whoever asks for the month is told */ });
  }
  if (!config.is_single) { idle(function () { readAhead(monthsOf(f.addDays(config.range.last_day, 1 - AHEAD_DAYS), config.range.last_day)); }); }
})();
