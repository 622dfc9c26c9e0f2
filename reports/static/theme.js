/* Runs before the page is painted, so that a chosen theme never flashes. `core.js` wires the switch. */
(function () {
  "use strict";
  var CU = (window.CU = window.CU || {});
  var KEY = "credit-usage.theme";
  var NAMES = ["system", "light", "dark"];
  CU.theme = {
    names: NAMES,
    current: function () {
      try {
        var held = window.localStorage.getItem(KEY);
        return NAMES.indexOf(held) > 0 ? held : "system";
      } catch (error) { return document.documentElement.getAttribute("data-theme") || "system"; /* storage is off: the choice lasts for this page */ }
    },
    choose: function (name) {
      if (name === "system") { document.documentElement.removeAttribute("data-theme"); }
      else { document.documentElement.setAttribute("data-theme", name); }
      try { window.localStorage.setItem(KEY, name); } catch (error) { return false; /* storage is off */ }
      return true;
    }
  };
  document.documentElement.classList.add("scripted");
  var held = CU.theme.current();
  if (held !== "system") { document.documentElement.setAttribute("data-theme", held); }
})();
