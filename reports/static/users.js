/* Twin of reports/users.py for any range that the reader chooses, and the page of one user (#user=…): its figures and its newest runs. */
(function () {
  "use strict";
  var CU = window.CU;
  var f = CU.format;
  var config = CU.config();
  var table = document.getElementById("users");
  if (!table || !CU.range) { return; }
  var at = CU.positions(config.fields), dayAt = CU.positions(config.day_fields), logAt = CU.positions(config.log_fields);
  var MEASURES = ["run_count", "total_tokens", "unpriced_call_count", "unpriced_total_tokens", "task_credits", "total_cost_usd"];
  var ACTIVITIES = [["cost", "total_cost_usd", f.money, f.moneyExact], ["requests", "run_count", f.countShort, f.count], ["tokens", "total_tokens", f.countShort, f.count]];
  var RUNS = 25; /* newest runs on a user's page */
  var PIECES = 40; /* pieces of the logs read for them: up to 100,000 rows */
  var state = { page: 0, sort: { key: "total_cost_usd", down: true }, wanted: "", user: null, first: null, last: null };
  var body = table.tBodies[0];
  var seen = null; /* user → its row of the whole history */
  var months = {}; /* month → rows of user and day */
  function id(name) { return document.getElementById(name); }

  /* --- rows --------------------------------------------------------------------------------------------------------- */
  function load(first, last) {
    var wanted = config.months.filter(function (month) { return month >= first.slice(0, 7) && month <= last.slice(0, 7) && !months[month]; });
    var whole = seen ? [] : Array.from({ length: config.parts }, function (_, part) { return CU.load("users", String(part)); });
    return Promise.all([Promise.all(whole), Promise.all(wanted.map(function (month) { return CU.load("userdays", month); }))]).then(function (found) {
      if (found[0].concat(found[1]).some(function (rows) { return rows === null; })) { throw new Error("a file under data/users or data/userdays is missing"); }
      if (!seen) { seen = new Map([].concat.apply([], found[0]).map(function (row) { return [row[at.user_id], row]; })); }
      wanted.forEach(function (month, i) { months[month] = found[1][i].map(asRow); CU.forget("userdays", month); });
    });
  }
  function asRow(values) {
    var row = { usage_date: values[dayAt.usage_date], user_id: values[dayAt.user_id] };
    MEASURES.forEach(function (name) { var value = values[dayAt[name]]; row[name] = typeof value === "number" ? BigInt(value) : f.toScaled(value); });
    return row;
  }
  function between(first, last) {
    return [].concat.apply([], config.months.filter(function (month) { return months[month]; }).map(function (month) {
      return months[month].filter(function (row) { return row.usage_date >= first && row.usage_date <= last; });
    }));
  }
  function none() { var sums = {}; MEASURES.forEach(function (name) { sums[name] = 0n; }); return sums; }
  function sumsBy(rows, key) {
    var found = new Map();
    rows.forEach(function (row) {
      var sums = found.get(row[key]);
      if (!sums) { sums = none(); found.set(row[key], sums); }
      MEASURES.forEach(function (name) { sums[name] += row[name]; });
    });
    return found;
  }
  function together(list) {
    var sums = none();
    list.forEach(function (part) { MEASURES.forEach(function (name) { sums[name] += part[name]; }); });
    return sums;
  }
  function daysBetween(first, last) { var days = []; for (var day = first; day <= last; day = f.addDays(day, 1)) { days.push(day); } return days; }

  /* --- figures ------------------------------------------------------------------------------------------------------ */
  function lacks(sums) { return f.unpriced(sums.unpriced_call_count, sums.unpriced_total_tokens); }
  function costText(sums) { return f.money(sums.total_cost_usd) + f.unpricedShort(sums.unpriced_call_count); }
  function costTitle(sums) { return f.moneyExact(sums.total_cost_usd) + lacks(sums); }
  function tile(label, text, title, note, baseline) {
    return CU.el("div", { class: "tile" }, [CU.el("dt", {}, label), CU.el("dd", { class: "value", title: title }, text), CU.el("dd", { class: "note" }, note), CU.el("dd", { class: "baseline" }, baseline)]);
  }
  function cards(ranked, whole) {
    var users = ranked.length, spend = whole.total_cost_usd, lack = lacks(whole), top = ranked.length ? ranked[0] : { id: "", sums: none() };
    var average = users ? f.divideHalfEven(spend, BigInt(users)) : null;
    return [
      tile("Active Users", f.count(users), "of " + f.count(seen.size) + " over all days", f.count(whole.run_count) + " requests", ""),
      tile("Total Spend", f.money(spend), f.moneyExact(spend) + lack, lack.trim(), whole.task_credits && !config.has_credit_price ? config.words.no_credit_price_short : ""),
      tile("Avg Cost", f.money(average), f.moneyExact(average) + (users ? lack : ""), "spend ÷ active users" + (lack ? ", unpriced calls left out" : ""), ""),
      tile("Top User Share", f.percent(top.sums.total_cost_usd, spend), costTitle(top.sums), top.id, "")
    ];
  }
  function cardsOfOne(sums, whole, days) {
    var lack = lacks(sums);
    return [
      tile("Total Cost", f.money(sums.total_cost_usd), costTitle(sums), lack.trim(), f.percent(sums.total_cost_usd, whole.total_cost_usd) + " of all tracked users"),
      tile("Requests", f.count(sums.run_count), "", "on " + f.count(days) + (days === 1 ? " day" : " days"), f.percent(sums.run_count, whole.run_count) + " of all tracked users"),
      tile("Tokens", f.countShort(sums.total_tokens), f.count(sums.total_tokens), "", f.percent(sums.total_tokens, whole.total_tokens) + " of all tracked users"),
      tile("Cost per request", f.money(sums.run_count ? f.divideHalfEven(sums.total_cost_usd, sums.run_count) : null), "", "cost ÷ requests" + (lack ? ", unpriced calls left out" : ""), "")
    ];
  }
  function drawActivity(byDay, days) {
    var provisional = days.indexOf(config.range.provisional_day);
    var found = days.map(function (day) { return byDay.get(day) || none(); });
    ACTIVITIES.forEach(function (kind) {
      var figure = id("c-activity-" + kind[0]);
      var values = found.map(function (sums) { return sums[kind[1]]; });
      function said(sums) { return kind[0] === "cost" ? f.money(sums.total_cost_usd) + lacks(sums) : f.count(sums[kind[1]]); }
      CU.charts.stackedBars(figure, days.map(f.dayShort), days.map(function (day, i) { return f.day(day) + ": " + said(found[i]); }), [{ tone: "s1", values: values }], kind[2], null, provisional);
      CU.charts.explain(figure, {
        tip: function (i) {
          return { title: f.day(days[i]), note: i === provisional ? "Provisional: this day had not ended." : null, rows: [
            { label: "Cost", text: costTitle(found[i]) }, { label: "Requests", text: f.count(found[i].run_count) }, { label: "Tokens", text: f.count(found[i].total_tokens) }] };
        },
        pick: function (i) { CU.range.set(days[i], days[i]); },
        hint: days.length > 1 ? "Click to see this day alone" : null
      });
    });
    id("by-day").tBodies[0].replaceChildren.apply(id("by-day").tBodies[0], days.map(function (day, i) {
      return CU.el("tr", {}, [CU.el("td", {}, f.day(day)), CU.el("td", { class: "num" }, f.count(found[i].run_count)), CU.el("td", { class: "num" }, f.count(found[i].total_tokens)), CU.el("td", { class: "num", title: costTitle(found[i]) }, costText(found[i]))]);
    }).reverse());
  }
  function drawDistribution(ranked) {
    var buckets = new Map();
    ranked.forEach(function (user) {
      var cost = user.sums.total_cost_usd, low = cost <= 0n ? 0n : 10n ** BigInt(String(cost).length - 1), key = String(low);
      if (!buckets.has(key)) { buckets.set(key, { low: low, list: [] }); }
      buckets.get(key).list.push(user.sums);
    });
    var found = Array.from(buckets.values()).sort(function (a, b) { return a.low < b.low ? -1 : a.low > b.low ? 1 : 0; });
    var labels = found.map(function (bucket) { return bucket.low ? f.money(bucket.low) + " – " + f.money(bucket.low * 10n) : config.words.no_known_cost; });
    CU.charts.stackedBars(id("c-distribution"), labels, found.map(function (bucket, i) { return labels[i] + ": " + f.count(bucket.list.length) + " user" + (bucket.list.length === 1 ? "" : "s"); }),
      [{ tone: "s1", values: found.map(function (bucket) { return BigInt(bucket.list.length); }) }], f.countShort, null, -1, true);
    var rows = id("t-distribution").tBodies[0];
    rows.replaceChildren.apply(rows, found.map(function (bucket, i) {
      var sums = together(bucket.list);
      return CU.el("tr", {}, [CU.el("td", {}, labels[i]), CU.el("td", { class: "num" }, f.count(bucket.list.length)), CU.el("td", { class: "num", title: costTitle(sums) }, costText(sums))]);
    }));
  }

  /* --- all users ---------------------------------------------------------------------------------------------------- */
  var shown = { ranked: [], whole: none() };
  function sorted() {
    var key = state.sort.key, sign = state.sort.down ? -1 : 1;
    var list = state.wanted ? shown.ranked.filter(function (user) { return user.id.toLowerCase().indexOf(state.wanted) >= 0; }) : shown.ranked;
    function value(user) {
      if (key === "user_id") { return user.id; }
      if (/_at$/.test(key)) { var row = seen.get(user.id); return row ? row[at[key]] : 0; }
      return user.sums[key === "total_requests" ? "run_count" : key];
    }
    return list.map(function (user, i) { return [value(user), i, user]; })
      .sort(function (a, b) { return a[0] < b[0] ? -sign : a[0] > b[0] ? sign : a[1] - b[1]; }).map(function (entry) { return entry[2]; });
  }
  function range() { return new URLSearchParams(location.hash.slice(1)); }
  function hashOf(name, value) { /* the range as it is chosen, and one part more */
    var now = range(), parts = new URLSearchParams();
    ["days", "from", "to"].forEach(function (part) { if (now.get(part) !== null) { parts.set(part, now.get(part)); } });
    parts.set(name, value);
    return "#" + parts.toString();
  }
  function drawTable() {
    var list = sorted(), start = state.page * config.rows_per_page;
    var lines = list.slice(start, start + config.rows_per_page).map(function (user) {
      var whole = seen.get(user.id) || [];
      function moment(key) { return f.moment(whole[at[key]] === undefined ? null : whole[at[key]], config.time_zone); }
      return CU.el("tr", {}, [
        CU.el("td", { class: "clip", title: user.id, dir: "auto" }, CU.el("a", { href: hashOf("user", user.id) }, user.id)),
        CU.el("td", {}, moment("first_request_at")), CU.el("td", {}, moment("last_request_at")), CU.el("td", { class: "num" }, f.count(user.sums.run_count)),
        CU.el("td", { class: "num" }, f.count(user.sums.total_tokens)), CU.el("td", { class: "num", title: costTitle(user.sums) }, costText(user.sums)),
        CU.el("td", { class: "links" }, config.logs.map(function (log) { return CU.el("a", { href: log.name + ".html" + hashOf("user", user.id), "aria-label": log.title + " of " + user.id }, log.title); }))]);
    });
    if (!lines.length) { lines.push(CU.el("tr", {}, CU.el("td", { class: "empty", colspan: config.columns.length + 1 }, state.wanted ? "No user matches." : "No tracked user in this range."))); }
    body.replaceChildren.apply(body, lines);
    var pages = Math.max(1, Math.ceil(list.length / config.rows_per_page));
    id("page-state").textContent = "Page " + f.count(state.page + 1) + " of " + f.count(pages);
    id("users-shown").textContent = f.count(list.length) + " of " + f.count(seen.size) + " users, " + f.count(together(list.map(function (user) { return user.sums; })).total_tokens) + " tokens in all.";
    id("page-previous").disabled = state.page === 0;
    id("page-next").disabled = state.page + 1 >= pages;
    table.querySelectorAll("th[data-key]").forEach(function (th) {
      th.removeAttribute("aria-sort");
      if (th.getAttribute("data-key") === state.sort.key) { th.setAttribute("aria-sort", state.sort.down ? "descending" : "ascending"); }
    });
  }

  /* --- one user ----------------------------------------------------------------------------------------------------- */
  function drawLinks(user) {
    CU.put(CU.clear(id("user-logs")), config.logs.map(function (log) { return CU.el("a", { class: "button quiet", href: log.name + ".html" + hashOf("user", user) }, "All " + log.title.toLowerCase()); }));
  }
  function piecesOf(days) { /* [log, day, part], newest day first */
    var found = [];
    days.slice().sort().reverse().forEach(function (day) {
      config.logs.forEach(function (log) {
        var entry = log.days.find(function (pair) { return pair[0] === day; });
        for (var part = 0, left = entry ? entry[1] : 0; left > 0; part += 1, left -= config.rows_per_part) { found.push([log, day, part]); }
      });
    });
    return found;
  }
  function drawRuns(user, rows, mine) {
    var days = Array.from(new Set(rows.map(function (row) { return row.usage_date; })));
    var list = piecesOf(days), found = [], total = Number(together(rows).run_count);
    /* Of days before this one only daily figures are published. */
    function isGone(day) { return config.detail_from !== null && day < config.detail_from; }
    var isCut = days.some(isGone), kept = !days.every(isGone);
    var target = id("runs").tBodies[0];
    id("runs-shown").textContent = "Reading…";
    target.replaceChildren();
    function next(position) {
      if (position >= list.length || position >= PIECES) { return Promise.resolve(position); }
      /* A day's pieces together: the newest runs may be in any of its logs. */
      var day = list[position][1], end = position;
      while (end < list.length && list[end][1] === day) { end += 1; }
      return Promise.all(list.slice(position, end).map(function (piece) {
        return CU.load(piece[0].name, CU.part(piece[1], piece[2], "p")).then(function (rows) {
          (rows || []).forEach(function (row) { if (row[logAt.user_id] === user) { found.push([piece[0], row]); } });
        });
      })).then(function () { return found.length >= RUNS ? end : next(end); });
    }
    return next(0).then(function () {
      if (mine !== turn) { return; }
      function when(row) { var done = row[logAt.completed_at]; return done === null ? row[logAt.started_at] : done; }
      found.sort(function (a, b) { return when(b[1]) - when(a[1]); });
      var lines = found.slice(0, RUNS).map(function (entry) {
        var row = entry[1], log = entry[0], cost = f.toScaled(row[logAt.total_cost_usd]);
        return CU.el("tr", {}, [
          CU.el("td", {}, CU.el("a", { href: log.name + ".html#days=all&run=" + encodeURIComponent(row[logAt.run_id]), title: "Run " + row[logAt.run_id] }, row[logAt.completed_at] === null ? "not completed" : f.moment(row[logAt.completed_at], config.time_zone))),
          CU.el("td", {}, log.singular), CU.el("td", { class: "clip", dir: "auto", title: row[logAt.name] }, row[logAt.name] === null ? f.MISSING : row[logAt.name]), CU.el("td", {}, CU.status(row[logAt.status])),
          CU.el("td", { class: "num" }, f.count(row[logAt.total_tokens])), CU.el("td", { class: "num", title: f.moneyExact(cost) + f.unpriced(row[logAt.unpriced_call_count], row[logAt.unpriced_total_tokens]) }, f.money(cost) + f.unpricedShort(row[logAt.unpriced_call_count])),
          CU.el("td", { class: "num" }, f.duration(row[logAt.duration_ms]))]);
      });
      if (!lines.length) { lines.push(CU.el("tr", {}, CU.el("td", { class: "empty", colspan: 7 }, total ? kept ? "None among the newest rows that were read. The logs have them." : "No single run of this range is kept any more." : "No run in this range."))); }
      target.replaceChildren.apply(target, lines);
      id("runs-shown").textContent = "Showing " + f.count(Math.min(found.length, RUNS)) + " of " + f.count(total) + (total === 1 ? " run" : " runs") + ", newest first; the logs have all"
        + (isCut ? " from " + f.day(config.detail_from) + " on, from when single runs are kept" : "") + ". Tokens and cost include sub-agents.";
      document.documentElement.setAttribute("data-runs", "ready");
    });
  }

  /* --- both --------------------------------------------------------------------------------------------------------- */
  var turn = 0;
  function draw() {
    var mine = (turn += 1), user = state.user;
    document.documentElement.removeAttribute("data-runs");
    return load(state.first, state.last).then(function () {
      if (mine !== turn) { return null; }
      var rows = between(state.first, state.last), days = daysBetween(state.first, state.last);
      var ranked = Array.from(sumsBy(rows, "user_id"), function (entry) { return { id: entry[0], sums: entry[1] }; }).sort(function (a, b) {
        if (a.sums.total_cost_usd !== b.sums.total_cost_usd) { return a.sums.total_cost_usd > b.sums.total_cost_usd ? -1 : 1; }
        return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
      });
      shown = { ranked: ranked, whole: together(ranked.map(function (entry) { return entry.sums; })) };
      var own = user === null ? rows : rows.filter(function (row) { return row.user_id === user; });
      id("one-user").hidden = user === null;
      id("user-runs").hidden = user === null;
      document.querySelectorAll("[data-all]").forEach(function (part) { part.hidden = user !== null; });
      drawActivity(sumsBy(own, "usage_date"), days);
      var reading = Promise.resolve();
      if (user === null) {
        CU.put(CU.clear(id("tiles")), cards(ranked, shown.whole));
        id("activity-note").textContent = "Tracked users only, by day.";
        drawDistribution(ranked);
        drawTable();
      } else {
        var whole = seen.get(user), active = new Set(own.map(function (row) { return row.usage_date; })).size;
        CU.put(CU.clear(id("tiles")), cardsOfOne(together(own), shown.whole, active));
        id("who").textContent = user;
        id("who-seen").textContent = whole ? "First request " + f.moment(whole[at.first_request_at], config.time_zone) + ", last " + f.moment(whole[at.last_request_at], config.time_zone) + ", over all days." : "No run of this workspace names this user.";
        id("activity-note").textContent = "This user's own runs, by day.";
        drawLinks(user);
        reading = drawRuns(user, own, mine);
      }
      document.documentElement.setAttribute("data-range", state.first + "/" + state.last);
      document.documentElement.setAttribute("data-user", user === null ? "" : user);
      return reading;
    }).catch(function (error) { CU.range.say("The users cannot be shown: " + error.message); });
  }
  function showActivity(order) {
    document.querySelectorAll("[data-activity]").forEach(function (part) { part.hidden = part.getAttribute("data-activity") !== order; });
    document.querySelectorAll("#activity-order button").forEach(function (button) { button.setAttribute("aria-pressed", String(button.getAttribute("data-order") === order)); });
  }
  id("activity-order").addEventListener("click", function (event) {
    var order = event.target.getAttribute("data-order");
    if (order) { showActivity(order); }
  });
  showActivity("cost");
  var form = id("user-controls");
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.elements.user.addEventListener("input", CU.debounce(150, function () { state.wanted = form.elements.user.value.trim().toLowerCase(); state.page = 0; drawTable(); }));
  table.querySelectorAll(".sort").forEach(function (button) {
    button.addEventListener("click", function () {
      var key = button.closest("th").getAttribute("data-key");
      state.sort = { key: key, down: state.sort.key === key ? !state.sort.down : true };
      state.page = 0;
      drawTable();
    });
  });
  id("page-previous").addEventListener("click", function () { state.page -= 1; drawTable(); });
  id("page-next").addEventListener("click", function () { state.page += 1; drawTable(); });
  id("all-users").addEventListener("click", function () { location.hash = CU.hashWith("user", null); });
  id("users-csv").addEventListener("click", function () {
    CU.download([config.workspace, "users", state.first, state.last].join("-") + ".csv", CU.csv([["user_id", "first_request_at", "last_request_at"].concat(MEASURES)].concat(sorted().map(function (user) {
      var whole = seen.get(user.id) || [];
      return [user.id, whole[at.first_request_at], whole[at.last_request_at]].map(function (value, i) { return i && value ? new Date(value).toISOString() : value; })
        .concat(MEASURES.map(function (name) { return /_usd$|credits$/.test(name) ? f.plainDecimal(user.sums[name]) : String(user.sums[name]); }));
    }))));
  });

  state.user = range().get("user");
  CU.range.start(function (first, last) { state.first = first; state.last = last; state.page = 0; draw(); });
  window.addEventListener("hashchange", function () {
    var user = range().get("user");
    if (user === state.user) { return; }
    state.user = user;
    window.scrollTo(0, 0);
    draw().then(function () { if (user !== null) { id("who").focus({ preventScroll: true }); } });
  });
})();
