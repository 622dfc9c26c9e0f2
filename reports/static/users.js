/* The users page: chart switch, and the table of all tracked users with search, sort and pages. */
(function () {
  "use strict";
  var CU = window.CU;
  var f = CU.format;
  var config = CU.config();
  var table = document.getElementById("users");
  if (!table) { return; }
  var at = CU.positions(config.fields);
  var state = { rows: null, page: 0, sort: { key: "total_cost_usd", down: true }, wanted: "" };
  var body = table.tBodies[0];

  function showActivity(order) {
    document.querySelectorAll("[data-activity]").forEach(function (part) { part.hidden = part.getAttribute("data-activity") !== order; });
    document.querySelectorAll("#activity-order button").forEach(function (button) { button.setAttribute("aria-pressed", String(button.getAttribute("data-order") === order)); });
  }
  document.getElementById("activity-order").addEventListener("click", function (event) {
    var order = event.target.getAttribute("data-order");
    if (order) { showActivity(order); }
  });
  showActivity("cost");

  function load() {
    if (state.rows) { return Promise.resolve(state.rows); }
    return Promise.all(Array.from({ length: config.parts }, function (_, part) { return CU.load("users", String(part)); })).then(function (parts) {
      if (parts.some(function (rows) { return rows === null; })) { throw new Error("a file under data/users is missing"); }
      state.rows = [].concat.apply([], parts);
      return state.rows;
    });
  }
  function cell(row, column) {
    var value = row[at[column.key]], text = value, title = null;
    if (/_at$/.test(column.key)) { text = f.moment(value, config.time_zone); }
    else if (column.key === "total_cost_usd") { 
      var calls = row[at.unpriced_call_count];
      text = f.money(f.toScaled(value)) + f.unpricedShort(calls);
      title = f.moneyExact(f.toScaled(value)) + f.unpriced(calls, row[at.unpriced_total_tokens]);
    }
    else if (column.number) { text = f.count(value); }
    return CU.el("td", { class: column.number ? "num" : column.key === "user_id" ? "clip" : null, title: title || (column.key === "user_id" ? value : null), dir: column.key === "user_id" ? "auto" : null }, text);
  }
  function show() {
    return load().then(function (all) {
      var rows = state.wanted ? all.filter(function (row) { return row[at.user_id].toLowerCase().indexOf(state.wanted) >= 0; }) : all.slice();
      var key = state.sort.key, sign = state.sort.down ? -1 : 1;
      var keyed = rows.map(function (row, i) { var value = row[at[key]]; return [key === "total_cost_usd" ? f.toScaled(value) : value, i, row]; });
      keyed.sort(function (a, b) { return a[0] < b[0] ? -sign : a[0] > b[0] ? sign : a[1] - b[1]; });
      var start = state.page * config.rows_per_page;
      var lines = keyed.slice(start, start + config.rows_per_page).map(function (entry) {
        var id = entry[2][at.user_id];
        return CU.el("tr", {}, config.columns.map(function (column) { return cell(entry[2], column); }).concat([
          CU.el("td", { class: "links" }, config.logs.map(function (log) { return CU.el("a", { href: log[0] + ".html#days=all&user=" + encodeURIComponent(id), "aria-label": log[1] + " of " + id }, log[1]); }))]));
      });
      if (!lines.length) { lines.push(CU.el("tr", {}, CU.el("td", { class: "empty", colspan: config.columns.length + 1 }, "No user matches."))); }
      body.replaceChildren.apply(body, lines);
      var pages = Math.max(1, Math.ceil(rows.length / config.rows_per_page));
      document.getElementById("page-state").textContent = "Page " + f.count(state.page + 1) + " of " + f.count(pages);
      document.getElementById("users-shown").textContent = f.count(rows.length) + " of " + f.count(config.users) + " users";
      document.getElementById("page-previous").disabled = state.page === 0;
      document.getElementById("page-next").disabled = state.page + 1 >= pages;
      table.querySelectorAll("th[data-key]").forEach(function (th) {
        th.removeAttribute("aria-sort");
        if (th.getAttribute("data-key") === key) { th.setAttribute("aria-sort", state.sort.down ? "descending" : "ascending"); }
      });
    }).catch(function (error) { document.getElementById("users-shown").textContent = "The users cannot be shown: " + error.message; });
  }
  var form = document.getElementById("user-controls");
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.elements.user.addEventListener("input", CU.debounce(150, function () { state.wanted = form.elements.user.value.trim().toLowerCase(); state.page = 0; show(); }));
  table.querySelectorAll(".sort").forEach(function (button) {
    button.addEventListener("click", function () {
      var key = button.closest("th").getAttribute("data-key");
      state.sort = { key: key, down: state.sort.key === key ? !state.sort.down : true };
      state.page = 0;
      show();
    });
  });
  document.getElementById("page-previous").addEventListener("click", function () { state.page -= 1; show(); });
  document.getElementById("page-next").addEventListener("click", function () { state.page += 1; show(); });
  show();
})();
