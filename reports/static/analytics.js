/* Twin of reports/analytics.py for any range that the reader chooses: the same sums, order and words from the months' chunks.
   Amounts are BigInt in units of 10^-12, counts are BigInt too. */
(function () {
  "use strict";
  var CU = window.CU;
  var f = CU.format;
  var config = CU.config();
  if (!config.last_day) { return; }
  var words = config.words;
  var money = {};
  config.money.forEach(function (name) { money[name] = true; });
  var months = {};

  function takeIn(month, data) {
    var held = { buckets: {} };
    Object.keys(data).forEach(function (name) {
      if (name === "buckets") { data.buckets.forEach(function (pair) { held.buckets[pair[0]] = pair[1]; }); return; }
      var keys = config.columns[name];
      held[name] = data[name].map(function (values) {
        var row = {};
        keys.forEach(function (key, i) {
          var value = values[i];
          row[key] = money[key] ? f.toScaled(value) : typeof value === "number" ? BigInt(value) : value;
        });
        return row;
      });
    });
    months[month] = held;
  }

  function load(first, last) {
    var wanted = config.months.filter(function (month) { return month >= first.slice(0, 7) && month <= last.slice(0, 7) && !months[month]; });
    return Promise.all(wanted.map(function (month) {
      return CU.load("analytics", month).then(function (data) {
        if (data === null) { throw new Error("data/analytics/" + month + ".js is missing"); }
        takeIn(month, data);
        CU.forget("analytics", month);
      });
    }));
  }
  function between(name, first, last) {
    var rows = [];
    config.months.forEach(function (month) {
      if (month >= first.slice(0, 7) && month <= last.slice(0, 7) && months[month] && months[month][name]) {
        months[month][name].forEach(function (row) { if (row.usage_date >= first && row.usage_date <= last) { rows.push(row); } });
      }
    });
    return rows;
  }
  function bucketMiddle(bucket) {
    for (var i = config.months.length - 1; i >= 0; i -= 1) {
      var held = months[config.months[i]];
      if (held && held.buckets[bucket] !== undefined) { return held.buckets[bucket]; }
    }
    throw new Error("no bounds for latency bucket " + bucket);
  }

  function total(rows, key) { return rows.reduce(function (sum, row) { return row[key] === null ? sum : sum + row[key]; }, 0n); }
  function sumsOf(rows, measures) {
    var sums = {};
    measures.forEach(function (measure) { sums[measure] = total(rows, measure); });
    return sums;
  }
  function keyOf(row, keys) { return JSON.stringify(keys.map(function (key) { return row[key]; })); }
  function grouped(rows, keys, measures) {
    var found = new Map();
    rows.forEach(function (row) {
      var id = keyOf(row, keys);
      var entry = found.get(id);
      if (!entry) {
        entry = { id: id, key: keys.map(function (key) { return row[key]; }), sums: {} };
        measures.forEach(function (measure) { entry.sums[measure] = 0n; });
        found.set(id, entry);
      }
      measures.forEach(function (measure) { if (row[measure] !== null) { entry.sums[measure] += row[measure]; } });
    });
    return Array.from(found.values());
  }
  function ranked(groups, measures) {
    return groups.sort(function (a, b) {
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
  function percentiles(rows, keys) {
    var merged = new Map();
    rows.forEach(function (row) {
      var id = keyOf(row, keys);
      if (!merged.has(id)) { merged.set(id, new Map()); }
      var into = merged.get(id);
      row.buckets.forEach(function (pair) { into.set(pair[0], (into.get(pair[0]) || 0) + pair[1]); });
    });
    var found = new Map();
    merged.forEach(function (counts, id) {
      var buckets = Array.from(counts.keys()).sort(function (a, b) { return a - b; });
      var whole = buckets.reduce(function (sum, bucket) { return sum + counts.get(bucket); }, 0);
      var answers = {};
      config.percentiles.forEach(function (percentile) {
        var rank = Math.floor((whole * percentile + 99) / 100), seen = 0;
        for (var i = 0; i < buckets.length; i += 1) {
          seen += counts.get(buckets[i]);
          if (seen >= rank) { answers[percentile] = bucketMiddle(buckets[i]); break; }
        }
      });
      found.set(id, answers);
    });
    return found;
  }

  /* Cells are [text, exact]. */
  function plain(text) { return [text, ""]; }
  function cash(value) { return [f.money(value), f.moneyExact(value)]; }
  function cost(value, calls, tokens, isLong) {
    var lacks = f.unpriced(calls, tokens);
    return [f.money(value) + (isLong ? lacks : f.unpricedShort(calls)), f.moneyExact(value) + lacks];
  }
  function costOf(sums) { return cost(sums.total_cost_usd, sums.unpriced_call_count, sums.unpriced_total_tokens); }
  function part(value, calls, tokens) { return [f.money(value), f.moneyExact(value) + f.unpriced(calls, tokens)]; }
  function number(value) { return plain(f.count(value)); }
  function short(value) { var text = f.countShort(value), full = f.count(value); return [text, text === full ? "" : full]; }
  function said(text) { return plain(text === null || text === "" ? words.not_said : text); }
  function milliseconds(value) { return plain(f.duration(value === undefined || value === null ? null : Number(value))); }
  function latencies(found) { return config.percentiles.map(function (p) { return milliseconds(found ? found[p] : null); }); }

  function daysBetween(first, last) {
    var days = [];
    for (var day = first; day <= last; day = f.addDays(day, 1)) { days.push(day); }
    return days;
  }
  function byDay(rows) { var found = {}; rows.forEach(function (row) { found[row.usage_date] = row; }); return found; }
  function missing(count) { return Array.from({ length: count }, function () { return plain(f.MISSING); }); }
  function lower(text) { return text[0].toLowerCase() + text.slice(1); }

  function costTables(totals, previous, days) {
    function line(label, key, show, prefix) {
      var value = total(totals, key), old = total(previous, key);
      function cell(amount, rows) {
        return (show || part)(amount, total(rows, (prefix || "") + "unpriced_call_count"), total(rows, (prefix || "") + "unpriced_total_tokens"));
      }
      return [plain(label), cell(value, totals), cell(old, previous), plain(f.change(value, old))];
    }
    function whole(value, calls, tokens) { return cost(value, calls, tokens, true); }
    var found = byDay(totals);
    return {
      cost_parts: {
        rows: [line("Wallet", "wallet_cost_usd"), line("Task credits (estimated)", "task_credit_cost_usd", cash)],
        footer: [line("Total cost", "total_cost_usd", whole),
          line("of which " + lower(words.unattributed), "unattributed_total_cost_usd", whole, "unattributed_"),
          line("External (own keys, not in the total)", "external_cost_usd")]
      },
      cost_days: {
        rows: days.slice().reverse().map(function (day) {
          var row = found[day];
          if (!row) { return [plain(f.day(day))].concat(missing(9)); }
          return [plain(f.day(day)), number(row.run_count), number(row.call_count), short(row.total_tokens), plain(f.credits(row.task_credits)),
            cash(row.wallet_cost_usd), cash(row.task_credit_cost_usd), costOf(row), cash(row.external_cost_usd),
            cost(row.unattributed_total_cost_usd, row.unattributed_unpriced_call_count, row.unattributed_unpriced_total_tokens)];
        }),
        footer: []
      }
    };
  }

  function services(rows, allCost) {
    var measures = ["call_count", "failed_call_count", "unpriced_call_count", "unpriced_total_tokens", "task_credits", "wallet_cost_usd", "task_credit_cost_usd", "total_cost_usd", "external_cost_usd"];
    function line(label, sums) {
      return [label, number(sums.call_count), number(sums.failed_call_count), plain(f.credits(sums.task_credits)), cash(sums.wallet_cost_usd),
        cash(sums.task_credit_cost_usd), costOf(sums), plain(f.percent(sums.total_cost_usd, allCost)), cash(sums.external_cost_usd)];
    }
    return {
      rows: ranked(grouped(rows, ["service"], measures), ["total_cost_usd", "task_credits", "call_count"]).map(function (g) { return line(said(g.key[0]), g.sums); }),
      footer: rows.length ? [line(plain("All services"), sumsOf(rows, measures))] : []
    };
  }

  function models(rows) {
    var measures = ["call_count"].concat(config.priced_tokens, ["unpriced_call_count", "unpriced_total_tokens", "provider_cost_usd", "total_cost_usd"]);
    function line(labels, sums) {
      var priced = sums.total_tokens - sums.unpriced_total_tokens;
      var rate = priced > 0n ? f.divideHalfEven(sums.provider_cost_usd * 1000000n, priced) : null;
      return labels.concat([number(sums.call_count)], config.priced_tokens.map(function (name) { return short(sums[name]); }), [
        part(sums.provider_cost_usd, sums.unpriced_call_count, sums.unpriced_total_tokens), costOf(sums),
        [f.money(rate), rate === null ? "" : f.moneyExact(rate)],
        [f.count(sums.unpriced_call_count), f.unpriced(sums.unpriced_call_count, sums.unpriced_total_tokens).replace(/^ \+ /, "")]]);
    }
    return {
      rows: ranked(grouped(rows, ["provider", "model"], measures), ["total_cost_usd", "provider_cost_usd", "total_tokens", "call_count"])
        .map(function (g) { return line([said(g.key[0]), said(g.key[1])], g.sums); }),
      footer: rows.length ? [line([plain("All models"), plain("")], sumsOf(rows, measures))] : []
    };
  }

  function unpriced(rows) {
    var measures = ["call_count"].concat(config.priced_tokens, ["provider_cost_usd"]);
    function line(labels, sums, status) {
      return labels.concat([number(sums.call_count)], config.priced_tokens.map(function (name) { return short(sums[name]); }),
        [status === "unpriced" ? plain(f.MISSING) : cash(sums.provider_cost_usd)]);
    }
    var body = [], footer = [];
    [["unpriced", words.all_unpriced], ["partial", words.all_partly_priced]].forEach(function (item) {
      var chosen = rows.filter(function (row) { return row.price_status === item[0]; });
      ranked(grouped(chosen, ["provider", "model", "reason"], measures), ["total_tokens", "call_count"]).forEach(function (g) {
        body.push(line([said(g.key[0]), said(g.key[1]), plain(CU.word(words.reasons, g.key[2]))], g.sums, item[0]));
      });
      if (chosen.length) { footer.push(line([plain(item[1]), plain(""), plain("")], sumsOf(chosen, measures), item[0])); }
    });
    return { rows: body, footer: footer };
  }

  function differences(rows) {
    var amounts = ["reported_cost_usd", "computed_cost_usd", "difference_usd", "at_stake_usd"];
    var measures = ["compared_call_count", "differing_call_count"].concat(amounts);
    function line(labels, sums) {
      return labels.concat([number(sums.compared_call_count), number(sums.differing_call_count)], amounts.map(function (name) { return cash(sums[name]); }));
    }
    return {
      rows: ranked(grouped(rows, ["provider", "model", "priced_provider", "priced_model"], measures), ["at_stake_usd", "differing_call_count"]).map(function (g) {
        var pricedAs = (g.key[2] || words.not_said) + " / " + (g.key[3] || words.not_said);
        return line([said(g.key[0]), said(g.key[1]), [pricedAs, pricedAs]], g.sums);
      }),
      footer: rows.length ? [line([plain("All models"), plain(""), plain("")], sumsOf(rows, measures))] : []
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

  function observability(rows, latency) {
    var found = percentiles(latency, ["provider", "model"]);
    return {
      rows: ranked(grouped(rows, ["provider", "model"], ["call_count", "completed_call_count", "failed_call_count"]), ["call_count"]).map(function (g) {
        return [said(g.key[0]), said(g.key[1]), number(g.sums.call_count), number(g.sums.completed_call_count), number(g.sums.failed_call_count),
          plain(f.percent(g.sums.failed_call_count, g.sums.call_count))].concat(latencies(found.get(g.id)));
      }),
      footer: []
    };
  }

  function runs(rows, latency) {
    var found = percentiles(latency, ["run_type"]);
    return {
      rows: ranked(grouped(rows, ["run_type"], ["run_count", "completed_run_count", "failed_run_count", "run_duration_ms"]), ["run_count"]).map(function (g) {
        var completed = g.sums.completed_run_count;
        return [said(g.key[0]), number(g.sums.run_count), number(completed), number(g.sums.failed_run_count), plain(f.percent(g.sums.failed_run_count, g.sums.run_count)),
          milliseconds(completed ? f.divideHalfEven(g.sums.run_duration_ms, completed) : null)].concat(latencies(found.get(g.id)));
      }),
      footer: []
    };
  }

  function spans(rows, spanDays, latency) {
    var runTime = total(spanDays, "run_duration_ms");
    var measures = ["span_count", "failed_span_count", "span_duration_ms"];
    var groups = grouped(rows, ["span_name", "span_kind"], measures);
    var found = percentiles(latency, ["span_name", "span_kind"]);
    var named = ranked(groups.filter(function (g) { return g.key[0] !== null; }), ["span_duration_ms", "span_count"]);
    function line(name, kind, sums, p95) {
      return [name, plain(kind), number(sums.span_count), plain(f.percent(sums.failed_span_count, sums.span_count)), milliseconds(p95),
        milliseconds(sums.span_duration_ms), plain(f.percent(sums.span_duration_ms, runTime))];
    }
    var lines = named.slice(0, config.top.spans).map(function (g) { return line(said(g.key[0]), g.key[1] || "", g.sums, (found.get(g.id) || {})[95]); });
    var rest = named.slice(config.top.spans).concat(groups.filter(function (g) { return g.key[0] === null; })).map(function (g) { return g.sums; });
    if (rest.length) { lines.push(line(plain(words.other_spans), "", sumsOf(rest, measures), null)); }
    return { rows: lines, footer: [] };
  }

  function tools(rows) {
    return {
      rows: ranked(grouped(rows, ["tool_name"], ["call_count", "failed_call_count", "unpriced_call_count", "unpriced_total_tokens", "duration_ms", "task_credits", "total_cost_usd"]), ["call_count", "duration_ms"]).map(function (g) {
        return [said(g.key[0]), number(g.sums.call_count), number(g.sums.failed_call_count), plain(f.percent(g.sums.failed_call_count, g.sums.call_count)),
          milliseconds(g.sums.duration_ms), plain(f.credits(g.sums.task_credits)), costOf(g.sums)];
      }),
      footer: []
    };
  }

  function users(rows, totals, order) {
    var measures = ["run_count", "total_tokens", "unpriced_call_count", "unpriced_total_tokens", "task_credits", "total_cost_usd"];
    var first = { cost: "total_cost_usd", requests: "run_count", tokens: "total_tokens" }[order];
    var allCost = total(totals, "total_cost_usd");
    function line(rank, label, sums) {
      return [plain(rank), plain(label), number(sums.run_count), short(sums.total_tokens), plain(f.credits(sums.task_credits)), costOf(sums),
        plain(f.percent(sums.total_cost_usd, allCost))];
    }
    var tracked = ranked(grouped(rows.filter(function (row) { return row.who === "user"; }), ["user_id"], measures), [first, "total_cost_usd", "run_count"]);
    var lines = tracked.slice(0, config.top.users).map(function (g, i) { return line(String(i + 1), g.key[0], g.sums); });
    var others = tracked.slice(config.top.users).map(function (g) { return g.sums; }).concat(rows.filter(function (row) { return row.who === "other"; }));
    var unknown = rows.filter(function (row) { return row.who === "none"; });
    var unattributed = {};
    measures.forEach(function (measure) { unattributed[measure] = measure === "run_count" ? 0n : total(totals, "unattributed_" + measure); });
    if (others.length) { lines.push(line("", words.other_users, sumsOf(others, measures))); }
    if (unknown.length) { lines.push(line("", words.no_user, sumsOf(unknown, measures))); }
    if (total(totals, "unattributed_call_count")) { lines.push(line("", words.unattributed, unattributed)); }
    var all = {};
    measures.forEach(function (measure) { all[measure] = total(rows, measure) + unattributed[measure]; });
    return { rows: lines, footer: lines.length ? [line("", "All", all)] : [] };
  }

  function tiles(totals, previous, period, creditNote) {
    function tile(label, key, show, exact, note) {
      var value = total(totals, key), old = total(previous, key);
      return [label, show(value), exact(value), note, f.change(value, old) + " against " + show(old) + " in " + period];
    }
    var lacking = total(totals, "unpriced_call_count");
    var said = f.unpriced(lacking, total(totals, "unpriced_total_tokens"));
    var now = total(totals, "total_cost_usd"), before = total(previous, "total_cost_usd");
    var external = total(totals, "external_cost_usd"), externalBefore = total(previous, "external_cost_usd");
    var count = total(totals, "run_count"), failed = total(totals, "failed_run_count");
    var countBefore = total(previous, "run_count"), failedBefore = total(previous, "failed_run_count");
    return [
      ["Total cost", f.money(now), f.moneyExact(now) + said, said.trim(),
        f.change(now, before) + " against " + f.money(before) + f.unpricedShort(total(previous, "unpriced_call_count")) + " in " + period],
      tile("Task credits", "task_credits", f.credits, f.credits, creditNote),
      tile("Tokens", "total_tokens", f.countShort, f.count, ""),
      tile("Runs", "run_count", f.countShort, f.count, ""),
      ["Error rate", f.percent(failed, count), f.count(failed) + " of " + f.count(count) + " runs", f.count(failed) + " of " + f.count(count) + " runs failed",
        f.percent(failedBefore, countBefore) + " in " + period],
      tile("Calls", "call_count", f.countShort, f.count, lacking ? f.count(lacking) + " unpriced" : ""),
      ["External", f.money(external), f.moneyExact(external) + said, lacking ? words.external_unpriced : words.external,
        f.change(external, externalBefore) + " against " + f.money(externalBefore) + " in " + period]
    ];
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

  function render(first, last) {
    var days = daysBetween(first, last);
    var earlier = days.map(function (day) { return f.addDays(day, -days.length); });
    function now(name) { return between(name, first, last); }
    function before(name) { return between(name, earlier[0], earlier[earlier.length - 1]); }
    var totals = now("total"), previous = before("total"), tokenRows = now("tokens"), userRows = now("users");
    var period = days.length === 1 ? "the previous day" : "the previous " + days.length + " days";
    var notes = creditNotes(totals);
    var content = Object.assign(
      { services: services(now("services"), total(totals, "total_cost_usd")), models: models(now("models")), unpriced: unpriced(now("unpriced")), differences: differences(now("differences")),
        observability: observability(now("observability"), now("model_latency")),
        runs: runs(now("runs"), now("run_latency")), spans: spans(now("spans"), now("span_days"), now("span_latency")), tools: tools(now("tools")) },
      costTables(totals, previous, days), tokenTables(tokenRows, before("tokens"), days));
    ["cost", "requests", "tokens"].forEach(function (order) { content["users_" + order] = users(userRows, totals, order); });
    Object.keys(content).forEach(function (name) { fill(name, content[name]); });

    document.getElementById("range-label").textContent = f.dayRange(first, last);
    document.getElementById("previous-label").textContent = period[0].toUpperCase() + period.slice(1) + ": " + f.dayRange(earlier[0], earlier[earlier.length - 1]);
    CU.put(CU.clear(document.getElementById("notes")), notes[0] ? CU.el("p", { class: "notice" }, notes[0]) : null);
    CU.put(CU.clear(document.getElementById("tiles")), tiles(totals, previous, period, notes[1]).map(function (tile) {
      return CU.el("div", { class: "tile" }, [CU.el("dt", {}, tile[0]), CU.el("dd", { class: "value", title: tile[2] }, tile[1]), CU.el("dd", { class: "note" }, tile[3]), CU.el("dd", { class: "baseline" }, tile[4])]);
    }));

    var found = byDay(totals), old = byDay(previous), tokens = byDay(tokenRows);
    function value(row, key) { return row ? row[key] : 0n; }
    var wallet = days.map(function (day) { return value(found[day], "wallet_cost_usd"); });
    var credit = days.map(function (day) { return value(found[day], "task_credit_cost_usd"); });
    var past = earlier.map(function (day) { return value(old[day], "total_cost_usd"); });
    var labels = days.map(f.dayShort);
    CU.charts.stackedBars(document.getElementById("c-cost"), labels, days.map(function (day, i) {
      function lacks(row) { return row ? f.unpriced(row.unpriced_call_count, row.unpriced_total_tokens) : ""; }
      return f.day(day) + ": " + f.money(wallet[i] + credit[i]) + lacks(found[day]) + "; wallet " + f.money(wallet[i]) + ", task credits " + f.money(credit[i]) + ". "
        + f.day(earlier[i]) + ": " + f.money(past[i]) + lacks(old[earlier[i]]);
    }), [{ tone: "s1", values: wallet }, { tone: "s2", values: credit }], f.money, past);
    CU.charts.stackedBars(document.getElementById("c-tokens"), labels, days.map(function (day) {
      return f.day(day) + ": " + config.token_series.filter(function (item) { return value(tokens[day], item[1]); })
        .map(function (item) { return item[0].toLowerCase() + " " + f.count(tokens[day][item[1]]); }).join(", ");
    }), config.token_series.map(function (item) { return { tone: item[2], values: days.map(function (day) { return value(tokens[day], item[1]); }) }; }), f.countShort, null);
  }

  var form = document.getElementById("range");
  var state = document.getElementById("range-state");
  var turn = 0;
  function choose(first, last, pressed) {
    var mine = (turn += 1);
    if (first > last) { state.textContent = "The first day is after the last."; return Promise.resolve(); }
    form.elements.from.value = first;
    form.elements.to.value = last;
    form.querySelectorAll("[data-days]").forEach(function (button) { button.setAttribute("aria-pressed", String(Number(button.getAttribute("data-days")) === pressed)); });
    var length = daysBetween(first, last).length;
    return load(f.addDays(first, -length), last).then(function () {
      if (mine !== turn) { return; }
      render(first, last);
      state.textContent = "";
      document.documentElement.setAttribute("data-range", first + "/" + last);
    }).catch(function (error) { state.textContent = "This range cannot be shown: " + error.message; });
  }
  function lastDays(days) { return choose(f.addDays(config.last_day, 1 - days), config.last_day, days); }
  CU.chooseRange = choose;

  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.addEventListener("click", function (event) {
    var days = event.target.getAttribute && event.target.getAttribute("data-days");
    if (days) { lastDays(Number(days)); history.replaceState(null, "", "#days=" + days); }
  });
  form.addEventListener("change", function () {
    var from = form.elements.from.value, to = form.elements.to.value;
    if (/^\d{4}-\d\d-\d\d$/.test(from) && /^\d{4}-\d\d-\d\d$/.test(to)) { choose(from, to, 0); history.replaceState(null, "", "#from=" + from + "&to=" + to); }
  });
  function showUsers(order) {
    document.querySelectorAll("[data-users]").forEach(function (part) { part.hidden = part.getAttribute("data-users") !== order; });
    document.querySelectorAll("#user-order button").forEach(function (button) { button.setAttribute("aria-pressed", String(button.getAttribute("data-order") === order)); });
  }
  document.getElementById("user-order").addEventListener("click", function (event) {
    var order = event.target.getAttribute("data-order");
    if (order) { showUsers(order); }
  });
  showUsers("cost");
  var wanted = new URLSearchParams(location.hash.slice(1));
  var valid = /^\d{4}-\d\d-\d\d$/;
  if (["1", "7", "90"].indexOf(wanted.get("days")) >= 0) { lastDays(Number(wanted.get("days"))); }
  else if (valid.test(wanted.get("from")) && valid.test(wanted.get("to"))) { choose(wanted.get("from"), wanted.get("to"), 0); }
})();
