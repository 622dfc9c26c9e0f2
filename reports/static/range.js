/* The date range, the same control on every page of a workspace: last 1, 7, 30, 90 days, all, or from and to.
   The range stands in the address, and the links to the other pages carry it. */
(function () {
  "use strict";
  var CU = window.CU;
  var f = CU.format;
  var form = document.getElementById("range");
  var config = CU.config().range;
  var DAY = /^\d{4}-\d\d-\d\d$/;
  var state = { first: null, last: null, pressed: "" };
  var listener = null;

  function preset(name) {
    if (name === "all") { return [config.first_day, config.last_day]; }
    return [f.addDays(config.last_day, 1 - Number(name)), config.last_day];
  }
  /* What is a day of the calendar, 31 February is none; and what of it can be shown: of a range of centuries a page would draw each day. */
  function isDay(text) { return DAY.test(text || "") && (text < "0100" || f.addDays(text, 0) === text); } /* a Date takes year 1 for 1901 */
  function within(day) { return day < config.limits[0] ? config.limits[0] : day > config.limits[1] ? config.limits[1] : day; }
  /* Other parts of the address, such as run=…, belong to the page and stay. */
  function address(replaced) {
    var parts = new URLSearchParams(location.hash.slice(1));
    ["days", "from", "to"].forEach(function (name) { parts.delete(name); });
    var own = new URLSearchParams();
    if (state.pressed) { if (state.pressed !== config.default) { own.set("days", state.pressed); } }
    else { own.set("from", state.first); own.set("to", state.last); }
    if (replaced) {
      var all = new URLSearchParams(own.toString() + (own.toString() && parts.toString() ? "&" : "") + parts.toString()).toString();
      history.replaceState(history.state, "", all ? "#" + all : location.pathname + location.search);
    }
    var carried = own.toString();
    document.querySelectorAll("a[data-carry]").forEach(function (link) {
      link.setAttribute("href", link.getAttribute("href").split("#")[0] + (carried ? "#" + carried : ""));
    });
  }
  function wanted() {
    var parts = new URLSearchParams(location.hash.slice(1));
    var days = parts.get("days"), from = parts.get("from"), to = parts.get("to");
    if (days === "all" || ["1", "7", "30", "90"].indexOf(days) >= 0) { return days; }
    if (isDay(from) && isDay(to) && from <= to) { return [within(from), within(to)]; }
    return config.default;
  }
  function show() {
    form.elements.from.value = state.first;
    form.elements.to.value = state.last;
    form.querySelectorAll("[data-days]").forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.getAttribute("data-days") === state.pressed));
    });
    var label = document.getElementById("range-label");
    if (label) { label.textContent = f.dayRange(state.first, state.last); }
  }
  function say(text) { document.getElementById("range-state").textContent = text; }
  function choose(range, told) {
    var pair = typeof range === "string" ? preset(range) : range;
    if (pair[0] > pair[1]) { say("The first day is after the last."); return; }
    say("");
    var isSame = state.first === pair[0] && state.last === pair[1];
    state = { first: pair[0], last: pair[1], pressed: typeof range === "string" ? range : "" };
    show();
    address(told);
    if (listener && !isSame) { listener(state.first, state.last); }
  }

  CU.range = {
    /* Calls `changed(first, last)` at once with the range in the address, and again with each change. */
    start: function (changed) { listener = changed; listener(state.first, state.last); },
    get: function () { return { first: state.first, last: state.last }; },
    set: function (first, last) { choose([within(first), within(last)], true); },
    isDefault: function () { return state.pressed === config.default; },
    say: say
  };
  if (!form || !config || !config.last_day) { CU.range = null; return; }
  choose(wanted(), false);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.addEventListener("click", function (event) {
    var days = event.target.getAttribute && event.target.getAttribute("data-days");
    if (days) { choose(days, true); }
  });
  form.addEventListener("change", function () {
    var from = form.elements.from.value, to = form.elements.to.value;
    if (!isDay(from) || !isDay(to)) { return; }
    /* Who types a year types 0002, 0020 and 0202 first: such a day is left as it is, so that the next digit finds it. */
    if (from !== within(from) || to !== within(to)) { say("Usage is from " + f.day(config.first_day) + " to " + f.day(config.last_day) + "."); return; }
    choose([from, to], true);
  });
  window.addEventListener("hashchange", function () {
    var range = wanted();
    var pair = typeof range === "string" ? preset(range) : range;
    if (pair[0] !== state.first || pair[1] !== state.last) { choose(range, false); }
  });
})();
