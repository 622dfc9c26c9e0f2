/* The run sheet, docked over its table: header, pills, split, details, trace waterfall, span panel. */
(function () {
  "use strict";
  var CU = window.CU;
  var f = CU.format;
  var config = CU.config();
  var summaryAt = CU.positions(config.summary_fields);
  var spanAt = CU.positions(config.span_fields);
  var childAt = CU.positions(config.child_fields);
  var dialog = document.getElementById("sheet");
  var ROWS_AT_ONCE = 400;
  var PILLS = {
    prompt: ["Tokens", "Cost", "Duration", "Charge Type"],
    workflow: ["Cost", "Duration", "Tools"],
    agent: ["Tokens", "Credits", "Cost", "Duration", "Tool Calls"]
  };
  var TOKENS = [["Input", "input_tokens"], ["of which cached", "cached_tokens"], ["of which cache write", "cache_write_tokens"], ["Output", "output_tokens"],
    ["of which reasoning", "reasoning_tokens"], ["Image", "image_tokens"], ["Total", "total_tokens"], ["Citation (beside the total)", "citation_tokens"],
    ["Audio input", "audio_input_tokens"], ["Audio output", "audio_output_tokens"]];
  var current = null;
  var opener = null;

  function cash(text) { return text === null ? null : f.toScaled(text); }
  function reader(row, positions) { return function (name) { return row[positions[name]]; }; }

  function loadRun(id, day) {
    return CU.load("runs", CU.part(day, CU.shard(id, config.shards[day] || 1), "s")).then(function (data) {
      if (data === null) { return null; }
      var run = data.runs.find(function (row) { return row[summaryAt.run_id] === id; });
      return {
        id: id, day: day, run: run ? reader(run, summaryAt) : null,
        spans: data.spans.filter(function (row) { return row[spanAt.run_id] === id; }),
        children: data.children.filter(function (row) { return row[childAt.parent_run_id] === id; })
      };
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
  function runLink(id, text) { return CU.el("a", { href: "#run=" + encodeURIComponent(id) }, text || id); }
  function metadata(text) {
    if (text === null) { return null; }
    var data;
    try { data = JSON.parse(text); } catch (error) { return CU.el("pre", {}, text); /* kept as it came */ }
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
      ["User", read("user_id") ? CU.el("a", { href: "#user=" + encodeURIComponent(read("user_id")) }, read("user_id")) : null],
      ["Parent run", read("parent_run_id") ? runLink(read("parent_run_id")) : null], ["Child runs", read("child_run_count") ? f.count(read("child_run_count")) : null],
      ["Trace", read("trace_id")], ["Reported tokens", reportedTokens === null ? null : f.count(reportedTokens)],
      ["Reported cost", reportedCost === null ? null : f.moneyExact(reportedCost)]
    ]);
  }

  /* --- trace ------------------------------------------------------------------------------------------------------ */
  /* Spans as a tree in start order, child runs below the span that started them where that is known. */
  function tree(loaded, shift, depth, expand, path) {
    var known = new Set(loaded.spans.map(function (row) { return row[spanAt.span_id]; }));
    var below = new Map();
    var roots = [];
    loaded.spans.forEach(function (row) {
      var parent = row[spanAt.parent_span_id];
      if (parent !== null && known.has(parent) && parent !== row[spanAt.span_id]) {
        if (!below.has(parent)) { below.set(parent, []); }
        below.get(parent).push(row);
      } else { roots.push(row); }
    });
    var lines = [], seen = new Set();
    function visit(row, level) {
      var stack = [[row, level]]; /* no recursion: traces may be thousands deep */
      while (stack.length) {
        var entry = stack.pop(), id = entry[0][spanAt.span_id];
        if (seen.has(id)) { continue; }
        seen.add(id);
        lines.push({ span: entry[0], level: entry[1], start: (entry[0][spanAt.start_offset_ms] || 0) + shift, length: entry[0][spanAt.duration_ms] });
        (below.get(id) || []).slice().reverse().forEach(function (child) { stack.push([child, entry[1] + 1]); });
      }
    }
    roots.forEach(function (row) { visit(row, depth); });
    loaded.spans.forEach(function (row) { visit(row, depth); }); /* spans whose parents form a ring */
    var base = loaded.run ? loaded.run("started_at") : null;
    loaded.children.forEach(function (row) {
      var start = (base === null ? 0 : row[childAt.started_at] - base) + shift;
      lines.push({ child: row, level: depth + 1, start: start, length: row[childAt.duration_ms] });
      var open = expand.get(row[childAt.run_id]);
      if (open && path.indexOf(open.id) < 0) { lines = lines.concat(tree(open, start, depth + 2, expand, path.concat([open.id]))); }
    });
    return lines;
  }

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

  function panel(row) {
    var read = reader(row, spanAt);
    var billed = read("billing_role") === "call";
    var pairs = [["Kind", read("span_kind")], ["Status", CU.status(read("status"))], ["Started", f.moment(read("started_at"), config.time_zone)],
      ["Ended", read("ended_at") === null ? "not ended" : f.moment(read("ended_at"), config.time_zone)], [billed ? "Latency" : "Duration", f.duration(read("duration_ms"))],
      ["Attempt", read("attempt") > 1 ? f.count(read("attempt")) : null]];
    var parts = [CU.el("h4", { dir: "auto" }, read("span_name"))];
    if (billed) {
      pairs = [["Service", read("service")], ["Provider", read("provider")], ["Model", read("model")],
        ["Answered by", read("response_model") === read("model") ? null : read("response_model")], ["Charge type", read("charge_type")]].concat(pairs);
      var amounts = ["provider_cost_usd", "task_credit_cost_usd", "wallet_cost_usd", "total_cost_usd", "external_cost_usd"].map(function (name) { return cash(read(name)); });
      var texts = f.moneyAligned(amounts.map(function (amount) { return amount === null ? 0n : amount; }));
      parts.push(facts(pairs));
      parts.push(read("total_tokens") === null ? CU.el("p", { class: "sub" }, "This call reported no tokens.")
        : facts(TOKENS.map(function (item) { var value = read(item[1]); return [item[0], value === null || (item[1].indexOf("audio") === 0 && !value) ? null : f.count(value)]; }), "facts numbers"));
      var isUnpriced = read("cost_source") === "unpriced", isHosted = read("charge_type") === "hosted";
      parts.push(facts([
        ["Provider cost", isUnpriced ? "unpriced" : amounts[0] === null ? null : texts[0]],
        ["Task credits", f.credits(cash(read("task_credits")))], ["Estimated task credit cost", texts[1]],
        ["Wallet charge", isUnpriced && isHosted ? "unpriced" : texts[2]], ["Total cost", texts[3] + (isUnpriced && isHosted ? " + unpriced" : "")],
        ["External provider charge (not in total)", isUnpriced && !isHosted ? "unpriced" : amounts[4] ? texts[4] : null]], "facts numbers"));
      parts.push(CU.el("h5", {}, "How the cost came about"), facts(costStory(read)));
    } else {
      parts.push(facts(pairs.concat([["Billing", read("billing_role") + (read("billing_reason") ? ": " + read("billing_reason") : "")]])));
    }
    if (read("error_message")) { parts.push(CU.el("p", { class: "error" }, read("error_message"))); }
    parts.push(facts([["Span id", read("span_id")], ["Parent span", read("parent_span_id")], ["Quality flags", read("quality_flags")],
      ["Note", read("is_parent_missing") ? "its parent span never arrived" : null]]));
    if (read("attributes")) { parts.push(CU.el("details", {}, [CU.el("summary", {}, "Attributes"), CU.el("pre", {}, read("attributes"))])); }
    return CU.el("div", { class: "span-panel", id: "span-panel" }, parts);
  }

  function waterfall(loaded) {
    var box = CU.el("div", { class: "waterfall" });
    var expand = new Map();
    var limit = ROWS_AT_ONCE;
    function draw() {
      var lines = tree(loaded, 0, 0, expand, [loaded.id]);
      var end = lines.reduce(function (end, line) { return Math.max(end, line.start + (line.length || 0)); }, loaded.run && loaded.run("duration_ms") || 1);
      var begin = lines.reduce(function (begin, line) { return Math.min(begin, line.start); }, 0);
      var whole = Math.max(1, end - begin);
      CU.clear(box);
      box.appendChild(CU.el("div", { class: "w-ticks", "aria-hidden": "true" }, [0, 1, 2, 3, 4].map(function (k) { return CU.el("span", {}, f.duration(Math.round(begin + whole * k / 4))); })));
      var list = CU.el("ol", { class: "w-rows" });
      lines.slice(0, limit).forEach(function (line) {
        var isChild = Boolean(line.child);
        var name = isChild ? line.child[childAt.name] || line.child[childAt.run_id] : line.span[spanAt.span_name];
        var status = isChild ? line.child[childAt.status] : line.span[spanAt.status];
        var bar = CU.el("span", { class: "w-bar status-" + (status || "unknown") + (line.length === null ? " open" : "") });
        bar.style.left = ((line.start - begin) * 100 / whole).toFixed(3) + "%";
        bar.style.width = Math.max(0.4, (line.length === null ? end - line.start : line.length) * 100 / whole).toFixed(3) + "%";
        var label = CU.el("span", { class: "w-name", dir: "auto" }, name);
        label.style.paddingInlineStart = Math.min(line.level, 12) * 12 + "px";
        var button = CU.el("button", { type: "button", class: "w-row" + (isChild ? " w-child" : ""), "aria-expanded": isChild ? String(expand.has(line.child[childAt.run_id])) : "false",
          "data-span": isChild ? null : line.span[spanAt.span_id] }, [
          CU.el("span", { class: "w-label" }, [CU.el("span", { class: "w-shape status-" + (status || "unknown"), "aria-hidden": "true" }, shape(status)), label]),
          CU.el("span", { class: "w-track" }, bar), CU.el("span", { class: "w-time" }, f.duration(line.length)),
          CU.el("span", { class: "hidden-text" }, " " + (status || "status not said"))]);
        var item = CU.el("li", {}, button);
        if (isChild) {
          button.addEventListener("click", function () {
            var id = line.child[childAt.run_id];
            if (expand.has(id)) { expand.delete(id); draw(); return; }
            loadRun(id, line.child[childAt.usage_date]).then(function (inner) { if (inner) { expand.set(id, inner); draw(); } });
          });
          item.appendChild(CU.el("p", { class: "w-link" }, [line.child[childAt.run_type] + " run ", CU.el("a", { href: pageOf(line.child[childAt.run_type]) + "#run=" + encodeURIComponent(line.child[childAt.run_id]) }, line.child[childAt.run_id]),
            " · " + f.count(line.child[childAt.total_tokens]) + " tokens · " + f.money(cash(line.child[childAt.total_cost_usd])) + lacks(reader(line.child, childAt)) + " · " + f.credits(cash(line.child[childAt.total_task_credits])) + " credits"]));
        } else {
          button.addEventListener("click", function () {
            var old = document.getElementById("span-panel");
            var wasHere = old && old.parentNode === item;
            if (old) { old.parentNode.querySelector(".w-row").setAttribute("aria-expanded", "false"); old.remove(); }
            if (!wasHere) { item.appendChild(panel(line.span)); button.setAttribute("aria-expanded", "true"); }
          });
        }
        list.appendChild(item);
      });
      box.appendChild(list);
      if (lines.length > limit) {
        var more = CU.el("button", { type: "button" }, "Showing " + f.count(limit) + " of " + f.count(lines.length) + " spans. Show all");
        more.addEventListener("click", function () { limit = lines.length; draw(); });
        box.appendChild(more);
      }
      if (!lines.length) { box.appendChild(CU.el("p", { class: "empty" }, "No span of this run has arrived.")); }
    }
    draw();
    return box;
  }
  function shape(status) { return { completed: "●", failed: "✕", running: "▶", queued: "◌", cancelled: "■" }[status] || "○"; }
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
        section("Trace", [waterfall(loaded)]), section("Own, images, sub-agents", [split(read)]), section("Cost", [costLines(read)]),
        section("Tokens", CU.tokenBreakdown(read, read("run_type")).slice(1)), section("Details", [details(read)]),
        section("User metadata", read("user_metadata") === null ? null : [metadata(read("user_metadata"))])]);
    } else {
      var sum = loaded.spans.reduce(function (sum, row) { return sum + (cash(row[spanAt.total_cost_usd]) || 0n); }, 0n);
      var unpriced = loaded.spans.filter(function (row) { return row[spanAt.cost_source] === "unpriced"; });
      var tokens = unpriced.reduce(function (sum, row) { return sum + BigInt(row[spanAt.total_tokens] || 0); }, 0n);
      CU.put(dialog, [CU.el("p", { class: "notice" }, "This run never arrived; these spans name it. Their cost of " + f.moneyExact(sum) + f.unpriced(unpriced.length, tokens) + " is in the workspace's totals as unattributed."), section("Trace", [waterfall(loaded)])]);
    }
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
    open: function (id, day) {
      return loadRun(id, day).then(function (loaded) {
        if (!loaded) { return false; }
        if (!current) { opener = document.activeElement; }
        current = id;
        render(loaded);
        if (!dialog.open) { dialog.show(); }
        dialog.scrollTop = 0;
        document.body.classList.add("has-sheet");
        dialog.querySelector("#sheet-title").focus({ preventScroll: true });
        if (CU.markRun) { CU.markRun(id); }
        return true;
      });
    },
    close: function () {
      if (!current) { return; }
      current = null;
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
})();
