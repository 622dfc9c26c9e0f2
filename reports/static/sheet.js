/* The run sheet, docked over its table: header, pills, trace (trace.js), span panel, split, cost, details; on paper, the sheet alone. */
(function () {
  "use strict";
  var CU = window.CU;
  var f = CU.format;
  var config = CU.config();
  var summaryAt = CU.positions(config.summary_fields);
  var spanAt = CU.positions(config.span_fields);
  var childAt = CU.positions(config.child_fields);
  var dialog = document.getElementById("sheet");
  var PILLS = {
    prompt: ["Tokens", "Cost", "Duration", "Charge Type"],
    workflow: ["Cost", "Duration", "Tools"],
    agent: ["Tokens", "Credits", "Cost", "Duration", "Tool Calls"]
  };
  var TOKENS = [["Input", "input_tokens"], ["of which cached", "cached_tokens"], ["of which cache write", "cache_write_tokens"], ["Output", "output_tokens"],
    ["of which reasoning", "reasoning_tokens"], ["Image", "image_tokens"], ["Total", "total_tokens"], ["Citation (beside the total)", "citation_tokens"],
    ["Audio input", "audio_input_tokens"], ["Audio output", "audio_output_tokens"]];
  var current = null, wanted = null;
  var trace = null;
  var prices = null; /* price set id → its rates, read when a sheet first needs them */
  var opener = null;

  function cash(text) { return text === null ? null : f.toScaled(text); }
  function reader(row, positions) { return function (name) { return row[positions[name]]; }; }

  function loadRun(id, day) {
    return CU.load("runs", CU.part(day, CU.shard(id, config.shards[day] || 1), "s")).then(function (data) {
      if (data === null) { return null; }
      var run = data.runs.find(function (row) { return row[summaryAt.run_id] === id; });
      return loadPrices().then(function () {
        return {
          id: id, day: day, run: run ? reader(run, summaryAt) : null,
          spans: data.spans.filter(function (row) { return row[spanAt.run_id] === id; }),
          children: data.children.filter(function (row) { return row[childAt.parent_run_id] === id; })
        };
      });
    });
  }
  function loadPrices() {
    if (prices) { return Promise.resolve(prices); }
    return CU.load("prices", "sets").then(function (rows) {
      prices = new Map((rows || []).map(function (row) { return [row[0], { stretches: row[1], sources: row[2], versions: row[3], checked: row[4], rates: row[5] }]; }));
      return prices;
    });
  }

  function pill(label, text, title, note) {
    return CU.el("div", { class: "pill", title: title || null }, [CU.el("dt", {}, label), CU.el("dd", {}, text), note ? CU.el("dd", { class: "note" }, note) : null]);
  }
  /* What the costs of a run, or of a child run, lack. */
  function lacks(read) { return f.unpriced(read("unpriced_call_count"), read("unpriced_total_tokens")); }
  function pills(read) {
    var cost = cash(read("total_cost_usd"));
    var tools = read("tools") || [];
    var all = {
      Tokens: function () { return pill("Tokens", f.count(read("total_tokens"))); },
      Cost: function () { return pill("Cost", f.money(cost), f.moneyExact(cost) + lacks(read), lacks(read).trim()); },
      Duration: function () { return pill("Duration", f.duration(read("duration_ms"))); },
      "Charge Type": function () { return pill("Charge Type", read("charge_type") || f.MISSING); },
      Tools: function () { return pill("Tools", tools.length ? tools.join(", ") : "none"); },
      Credits: function () { return pill("Credits", f.credits(cash(read("total_task_credits")))); },
      "Tool Calls": function () { return pill("Tool Calls", f.count(read("tool_call_count"))); }
    };
    return CU.el("dl", { class: "pills" }, PILLS[read("run_type")].map(function (name) { return all[name](); }));
  }

  function split(read) {
    var parts = [["Own", "own_total_tokens", "own_cost_usd"], ["Image generation", "own_image_tokens", "image_generation_cost_usd"],
      ["Sub-agents (child runs)", "child_runs_total_tokens", "child_runs_cost_usd"], ["Total", "total_tokens", "total_cost_usd"]];
    var amounts = f.moneyAligned(parts.map(function (part) { return cash(read(part[2])); }));
    return CU.el("table", { class: "split" }, [
      CU.el("thead", {}, CU.el("tr", {}, [CU.el("th", { scope: "col" }, "Part"), CU.el("th", { scope: "col", class: "num" }, "Tokens"), CU.el("th", { scope: "col", class: "num" }, "Cost")])),
      CU.el("tbody", {}, parts.map(function (part, i) {
        return CU.el("tr", { class: i === 3 ? "sum" : null }, [CU.el("th", { scope: "row" }, part[0]), CU.el("td", { class: "num" }, f.count(read(part[1]))), CU.el("td", { class: "num" }, amounts[i])]);
      }).concat(read("unpriced_call_count") ? CU.el("tr", {}, [CU.el("th", { scope: "row" }, "Unpriced, not in the cost"), CU.el("td", { class: "num" }, f.count(read("unpriced_total_tokens"))),
        CU.el("td", { class: "num" }, f.count(read("unpriced_call_count")) + (read("unpriced_call_count") === 1 ? " call" : " calls"))]) : []))
    ]);
  }
  function costLines(read) {
    var rows = [["Estimated task credit cost", "total_task_credit_cost_usd"], ["Wallet charge", "total_wallet_cost_usd"], ["Total", "total_cost_usd"], ["External provider charge (own key, not in total)", "total_external_cost_usd"]];
    var amounts = rows.map(function (row) { return cash(read(row[1])); });
    var texts = f.moneyAligned(amounts);
    var pairs = rows.map(function (row, i) { return [row[0], i === 3 && !amounts[3] ? null : texts[i]]; });
    pairs.push(["Unpriced, in none of these", lacks(read).replace(/^ \+ /, "")]);
    return facts(pairs, "facts numbers");
  }

  /* Label and value pairs; a pair without a value is left out. */
  function facts(pairs, name) {
    var list = CU.el("dl", { class: name || "facts" });
    pairs.forEach(function (pair) {
      if (pair[1] === null || pair[1] === undefined || pair[1] === "") { return; }
      CU.put(list, [CU.el("dt", {}, pair[0]), CU.el("dd", { dir: "auto" }, pair[1])]);
    });
    return list;
  }
  function runLink(id, text) { return CU.el("a", { href: CU.hashWith("run", id) }, text || id); }
  function metadata(text) {
    if (text === null) { return null; }
    var data;
    try { data = CU.exactJson(text); } catch (error) { return CU.el("pre", {}, text); /* kept as it came */ }
    if (data === null || typeof data !== "object") { return CU.el("pre", {}, text); }
    return facts(Object.keys(data).sort().map(function (key) { return [key, typeof data[key] === "string" ? data[key] : JSON.stringify(data[key])]; }), "facts nested");
  }
  function section(title, content) { return content ? CU.el("section", {}, [CU.el("h3", {}, title)].concat(content)) : null; }

  function details(read) {
    var reportedTokens = read("reported_total_tokens"), reportedCost = cash(read("reported_total_cost_usd"));
    return facts([
      ["Name", read("name")], ["Run type", read("run_type")], ["Started", f.moment(read("started_at"), config.time_zone)],
      ["Completed", f.moment(read("completed_at"), config.time_zone)], ["Provider", read("provider")], ["Model", read("model")], ["Charge type", read("charge_type")],
      ["Source", read("source")], ["Delivery", read("delivery")], ["API key", read("api_key")], ["Collaborator", read("collaborator")],
      ["Tools", (read("tools") || []).join(", ")], ["Task credits", f.credits(cash(read("total_task_credits")))],
      ["User", read("user_id") ? CU.el("a", { href: "users.html#user=" + encodeURIComponent(read("user_id")) }, read("user_id")) : null],
      ["Parent run", read("parent_run_id") ? runLink(read("parent_run_id")) : null], ["Child runs", read("child_run_count") ? f.count(read("child_run_count")) : null],
      ["Trace", read("trace_id")], ["Reported tokens", reportedTokens === null ? null : f.count(reportedTokens)],
      ["Reported cost", reportedCost === null ? null : f.moneyExact(reportedCost)]
    ]);
  }

  /* --- what a span is and costs ------------------------------------------------------------------------------------ */
  /* How the cost and credits of a call came about: one line each, none where there is nothing to say. */
  function names(provider, model) { return [provider, model].filter(function (name) { return name; }).join(" / "); }
  function costStory(read) {
    var source = read("cost_source"), status = read("price_status"), why = CU.word(config.reasons, read("unpriced_reason"));
    var reported = cash(read("reported_provider_cost_usd")), computed = cash(read("computed_provider_cost_usd"));
    var pricedAs = names(read("priced_provider"), read("priced_model"));
    var credits = cash(read("task_credits")), rated = cash(read("computed_task_credits")), price = cash(read("credit_price_usd"));
    var sources = { reported: "reported with the call", priced: "computed from its prices, as none was reported", unpriced: "unpriced: none was reported, and " + why };
    var statuses = { priced: "priced: all that was used has a rate", free: "free: its price is $0.00", partial: "partly priced: a rate is missing or guessed",
      unpriced: "no price to compare with: " + why };
    var creditSources = { reported: "reported with the call", rated: "by the rate card", unrated: "unrated: the rate varies and none was reported" };
    var different = null;
    if (source === "reported" && computed !== null && computed !== reported) {
      different = f.moneyExact(computed) + (reported > 0n ? ", " + f.change(computed, reported) + " against the reported one" : "");
    }
    return [
      ["Cost source", source === null ? "no provider charge expected" : CU.word(sources, source)], ["Price status", status === null || source === "unpriced" ? null : CU.word(statuses, status)],
      ["Priced as", pricedAs === names(read("provider"), read("response_model") || read("model")) ? null : pricedAs], ["Computed cost", different],
      ["Credits source", read("credit_source") === null ? "no rate for this call" : CU.word(creditSources, read("credit_source"))],
      ["Credits by rate card", read("credit_source") === "reported" && rated !== null && rated !== credits ? f.credits(rated) : null],
      ["Credit price", !credits ? null : price === null ? "none set" : f.moneyExact(price) + " per credit"],
      ["Token convention", read("token_convention")], ["Price set", read("price_set_id")]
    ];
  }

  /* Quantity × rate of each meter of a call. Rates have 18 decimals, so a rate per million tokens has 12. */
  var MICRO = 1000000n;
  function rateOf(text) {
    var match = /^(\d+)(?:\.(\d+))?$/.exec(text);
    return BigInt(match[1]) * 1000000000000000000n + BigInt((match[2] || "").padEnd(18, "0").slice(0, 18));
  }
  function stretchOf(set, day) {
    return set.stretches.find(function (stretch) { return (stretch[0] === null || stretch[0] <= day) && (stretch[1] === null || day < stretch[1]); }) || set.stretches[0];
  }
  function priceLines(read) {
    var set = prices && prices.get(read("price_set_id"));
    if (!set) { return null; }
    var lines = [];
    (read("meters") || []).forEach(function (pair) {
      var meter = config.meters[pair[0]], units = BigInt(pair[1]), rate = set.rates[pair[0]];
      if (rate === null) {
        if (!meter.free) { lines.push([meter.label, f.count(units), "no rate", null]); }
        return;
      }
      var exact = rateOf(rate);
      lines.push([meter.label, f.count(units), meter.tokens ? f.moneyExact(exact) + " / 1M" : f.moneyExact(f.divideHalfEven(exact, MICRO)), f.divideHalfEven(units * exact, MICRO)]);
    });
    if (!lines.length) { return null; }
    var computed = cash(read("computed_provider_cost_usd"));
    var texts = f.moneyAligned(lines.map(function (line) { return line[3] || 0n; }).concat([computed || 0n]));
    var day = new Date(read("started_at")).toISOString().slice(0, 10), since = stretchOf(set, day);
    return [
      CU.el("table", { class: "price-lines" }, [
        CU.el("thead", {}, CU.el("tr", {}, ["Meter", "Quantity", "Rate", "Amount"].map(function (label, i) { return CU.el("th", { scope: "col", class: i ? "num" : null }, label); }))),
        CU.el("tbody", {}, lines.map(function (line, i) {
          return CU.el("tr", {}, [CU.el("th", { scope: "row" }, line[0]), CU.el("td", { class: "num" }, line[1]), CU.el("td", { class: "num" }, "× " + line[2]), CU.el("td", { class: "num" }, line[3] === null ? f.MISSING : texts[i])]);
        })),
        CU.el("tfoot", {}, CU.el("tr", {}, [CU.el("th", { scope: "row", colspan: 3 }, "By these prices"), CU.el("td", { class: "num" }, computed === null ? f.MISSING : texts[lines.length])]))
      ]),
      CU.el("p", { class: "sub" }, "Prices: " + set.sources + (set.versions ? " (" + set.versions + ")" : "") + (since[0] === null ? "" : ", in force since " + f.day(since[0])) + (since[1] === null ? "" : ", until " + f.day(f.addDays(since[1], -1)))
        + (set.checked ? ", checked on " + f.day(set.checked) : "") + ".")
    ];
  }
  function creditLine(read) {
    var credits = cash(read("task_credits")), price = cash(read("credit_price_usd"));
    if (!credits || price === null) { return null; }
    return f.credits(credits) + " × " + f.moneyExact(price) + " = " + f.moneyExact(cash(read("task_credit_cost_usd")));
  }

  /* Why a span has no cost of its own, and where that is. */
  var ROLES = {
    duplicate: "A duplicate: the same call is billed elsewhere, so nothing of it is in a total.",
    rollup: "A roll-up: it repeats what calls below it report, so nothing of it is in a total.",
    none: "Not billed: no usage of its own."
  };
  function billing(read) {
    var role = read("billing_role"), span = read("billed_span_id"), run = read("billed_run_id");
    if (role === "call") { return []; }
    var link = null;
    if (span !== null && run === read("run_id")) {
      link = CU.el("button", { type: "button", class: "link" }, span);
      link.addEventListener("click", function () { if (trace) { trace.take(span); } });
    } else if (span !== null) { link = CU.el("span", {}, [span + " of run ", runLink(run)]); }
    var credits = cash(read("rollup_reported_task_credits")), cost = cash(read("rollup_reported_provider_cost_usd"));
    function tokens(name) { var value = read(name); return value === null ? null : f.count(value); }
    var claimed = facts([["Input", tokens("rollup_reported_input_tokens")], ["Output", tokens("rollup_reported_output_tokens")], ["Total tokens", tokens("rollup_reported_total_tokens")],
      ["Provider cost", cost === null ? null : f.moneyExact(cost)], ["Task credits", credits === null ? null : f.credits(credits)]], "facts numbers");
    return [CU.el("p", { class: "role role-" + role }, CU.word(ROLES, role)),
      facts([["Billed as", link], ["Reason", role === "none" ? null : read("billing_reason")]]),
      claimed.childNodes.length ? CU.el("h5", {}, "What it claimed, in no total") : null, claimed.childNodes.length ? claimed : null];
  }

  function panel(row) {
    var read = reader(row, spanAt);
    var billed = read("billing_role") === "call";
    var pairs = [["Kind", read("span_kind")], ["Status", CU.status(read("status"))], ["Started", f.moment(read("started_at"), config.time_zone)],
      ["Ended", read("ended_at") === null ? "not ended" : f.moment(read("ended_at"), config.time_zone)], [billed ? "Latency" : "Duration", f.duration(read("duration_ms"))],
      ["Attempt", read("attempt") > 1 ? f.count(read("attempt")) : null]];
    var parts = [CU.el("h4", { dir: "auto" }, read("span_name"))];
    if (read("error_message")) { parts.push(CU.el("p", { class: "error" }, read("error_message"))); }
    if (billed) {
      pairs = [["Service", read("service")], ["Provider", read("provider")], ["Model", read("model")],
        ["Answered by", read("response_model") === read("model") ? null : read("response_model")], ["Charge type", read("charge_type")], ["Units", read("units") === null ? null : f.count(read("units"))]].concat(pairs);
      var amounts = ["provider_cost_usd", "task_credit_cost_usd", "wallet_cost_usd", "total_cost_usd", "external_cost_usd"].map(function (name) { return cash(read(name)); });
      var texts = f.moneyAligned(amounts.map(function (amount) { return amount === null ? 0n : amount; }));
      parts.push(facts(pairs, "facts pairs"));
      var tokens = CU.el("div", {}, [CU.el("h5", {}, "Tokens"), read("total_tokens") === null ? CU.el("p", { class: "sub" }, "This call reported no tokens.")
        : facts(TOKENS.map(function (item) { var value = read(item[1]); return [item[0], value === null || (item[1].indexOf("audio") === 0 && !value) ? null : f.count(value)]; }), "facts numbers")]);
      var isUnpriced = read("cost_source") === "unpriced", isHosted = read("charge_type") === "hosted";
      parts.push(CU.el("div", { class: "halves" }, [tokens, CU.el("div", {}, [CU.el("h5", {}, "Cost"), facts([
        ["Provider cost", isUnpriced ? "unpriced" : amounts[0] === null ? null : texts[0]],
        ["Task credits", f.credits(cash(read("task_credits")))], ["Estimated task credit cost", texts[1]],
        ["Wallet charge", isUnpriced && isHosted ? "unpriced" : texts[2]], ["Total cost", texts[3] + (isUnpriced && isHosted ? " + unpriced" : "")],
        ["External provider charge (not in total)", isUnpriced && !isHosted ? "unpriced" : amounts[4] ? texts[4] : null]], "facts numbers")])]));
      parts.push(CU.el("h5", {}, "How the cost came about"));
      parts = parts.concat(priceLines(read) || []);
      parts.push(facts([["Credits × price", creditLine(read)]].concat(costStory(read))));
    } else {
      parts.push(facts(pairs, "facts pairs"));
    }
    parts = parts.concat(billing(read));
    parts.push(facts([["Span id", read("span_id")], ["Parent span", read("parent_span_id")], ["Quality flags", read("quality_flags")],
      ["Note", read("is_parent_missing") ? "its parent span never arrived" : null]]));
    if (read("attributes")) { parts.push(CU.el("details", {}, [CU.el("summary", {}, "Attributes"), CU.el("pre", {}, read("attributes"))])); }
    return parts;
  }
  function childPanel(row) {
    var read = reader(row, childAt), type = read("run_type");
    return [CU.el("h4", { dir: "auto" }, read("name") || read("run_id")),
      CU.el("p", { class: "w-link" }, [type + " run ", CU.el("a", { href: pageOf(type) + "#run=" + encodeURIComponent(read("run_id")) }, read("run_id")),
        " · " + f.count(read("total_tokens")) + " tokens · " + f.money(cash(read("total_cost_usd"))) + lacks(read) + " · " + f.credits(cash(read("total_task_credits"))) + " credits"]),
      facts([["Status", CU.status(read("status"))], ["Started", f.moment(read("started_at"), config.time_zone)], ["Duration", f.duration(read("duration_ms"))]])];
  }
  function pageOf(type) { return { prompt: "prompts.html", workflow: "workflows.html", agent: "agents.html" }[type] || ""; }

  /* --- the sheet -------------------------------------------------------------------------------------------------- */
  function render(loaded) {
    var read = loaded.run;
    var previous = CU.el("button", { type: "button", title: "Previous run (k)", "aria-label": "Previous run" }, "↑");
    var next = CU.el("button", { type: "button", title: "Next run (j)", "aria-label": "Next run" }, "↓");
    var close = CU.el("button", { type: "button", title: "Close (Escape)", "aria-label": "Close" }, "✕");
    previous.addEventListener("click", function () { move(-1); });
    next.addEventListener("click", function () { move(1); });
    close.addEventListener("click", leave);
    var head = CU.el("header", {}, [
      CU.el("div", { class: "sheet-top" }, [CU.el("h2", { id: "sheet-title", tabindex: "-1" }, loaded.id), CU.el("div", { class: "sheet-keys" }, [previous, next, close])]),
      CU.el("div", { class: "badges" }, read ? [CU.status(read("status")), read("deployment") ? CU.el("span", { class: "badge", title: "Deployment" }, read("deployment")) : null,
        CU.el("span", { class: "badge" }, read("run_type"))] : [CU.el("span", { class: "badge" }, "unattributed")])
    ]);
    CU.clear(dialog);
    CU.put(dialog, head);
    if (read) {
      CU.put(dialog, [pills(read), read("error_message") ? CU.el("p", { class: "error" }, read("error_message")) : null,
        traceSection(loaded), section("Own, images, sub-agents", [split(read)]), section("Cost", [costLines(read)]),
        section("Tokens", CU.tokenBreakdown(read, read("run_type")).slice(1)), section("Details", [details(read)]),
        section("User metadata", read("user_metadata") === null ? null : [metadata(read("user_metadata"))])]);
    } else {
      var sum = loaded.spans.reduce(function (sum, row) { return sum + (cash(row[spanAt.total_cost_usd]) || 0n); }, 0n);
      var unpriced = loaded.spans.filter(function (row) { return row[spanAt.cost_source] === "unpriced"; });
      var tokens = unpriced.reduce(function (sum, row) { return sum + BigInt(row[spanAt.total_tokens] || 0); }, 0n);
      CU.put(dialog, [CU.el("p", { class: "notice" }, "This run never arrived; these spans name it. Their cost of " + f.moneyExact(sum) + f.unpriced(unpriced.length, tokens) + " is in the workspace's totals as unattributed."), traceSection(loaded)]);
    }
  }
  function traceSection(loaded) {
    var held = CU.el("div", { class: "span-panel", id: "span-panel", role: "region", "aria-label": "Chosen span", "aria-live": "polite" }, CU.el("p", { class: "sub" }, "Choose a span to see its usage and cost."));
    trace = CU.trace(loaded, loadRun, function (line) { CU.put(CU.clear(held), line.child ? childPanel(line.child) : panel(line.span)); });
    return section("Trace", [trace.element, held]);
  }
  function move(direction) {
    if (!current || !CU.step) { return; }
    CU.step(current, direction).then(function (id) { if (id) { location.hash = CU.hashWith("run", id); } });
  }
  function leave() {
    var back = opener;
    history.replaceState(null, "", CU.hashWith("run", null));
    CU.sheet.close();
    if (back && document.contains(back)) { back.focus(); }
  }

  CU.sheet = {
    current: function () { return current; },
    want: function (id) { wanted = id; },
    isWanted: function (id) { return wanted === id; },
    open: function (id, day) {
      wanted = id;
      return loadRun(id, day).then(function (loaded) {
        if (wanted !== id) { return "late"; }
        if (!loaded) { return false; }
        if (!current) { opener = document.activeElement; }
        current = id;
        render(loaded);
        if (!dialog.open) { dialog.show(); }
        dialog.scrollTop = 0;
        trace.draw();
        var calls = loaded.spans.filter(function (row) { return row[spanAt.billing_role] === "call"; });
        if (calls.length === 1) { trace.take(calls[0][spanAt.span_id]); }
        document.body.classList.add("has-sheet");
        dialog.querySelector("#sheet-title").focus({ preventScroll: true });
        if (CU.markRun) { CU.markRun(id); }
        return true;
      });
    },
    close: function () {
      wanted = null;
      if (!current) { return; }
      current = null;
      trace = null;
      dialog.close();
      document.body.classList.remove("has-sheet");
      if (CU.markRun) { CU.markRun(null); }
    }
  };
  document.addEventListener("keydown", function (event) {
    if (!current || event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (event.key === "Escape") { event.preventDefault(); leave(); return; }
    if (event.target.matches("input, select, textarea")) { return; }
    if (event.key === "j") { event.preventDefault(); move(1); }
    if (event.key === "k") { event.preventDefault(); move(-1); }
  });
  /* Paper has no scrolling: all rows are drawn for it. */
  window.matchMedia("print").addEventListener("change", function (event) { if (trace) { trace.print(event.matches); } });
  window.addEventListener("beforeprint", function () { if (trace) { trace.print(true); } });
  window.addEventListener("afterprint", function () { if (trace) { trace.print(false); } });
  window.addEventListener("resize", CU.debounce(100, function () { if (trace) { trace.draw(); } }));
})();
