/* Shared by every page: the config, chunk loading from this folder, small DOM builders, the stamps.
   Data becomes text nodes and attributes only, never markup. */
(function () {
  "use strict";
  var CU = (window.CU = window.CU || {});
  var chunks = {};
  var loading = {};

  CU.config = function () {
    var element = document.getElementById("config");
    return element ? JSON.parse(element.textContent) : {};
  };

  /* Called by each chunk script. */
  CU.chunk = function (name, key, data) { chunks[name + "/" + key] = data; };

  /* Resolves with the chunk's data, or null where the folder has no such file. */
  CU.load = function (name, key) {
    var path = name + "/" + key;
    if (chunks[path] !== undefined) { return Promise.resolve(chunks[path]); }
    if (!loading[path]) {
      loading[path] = new Promise(function (resolve) {
        var script = document.createElement("script");
        script.src = "data/" + path + ".js";
        script.onload = function () { script.remove(); delete loading[path]; resolve(chunks[path] === undefined ? null : chunks[path]); };
        script.onerror = function () { script.remove(); delete loading[path]; resolve(null); };
        document.head.appendChild(script);
      });
    }
    return loading[path];
  };
  CU.forget = function (name, key) { delete chunks[name + "/" + key]; };

  CU.el = function (tag, attributes, children) {
    var element = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (key) {
      if (attributes[key] !== null && attributes[key] !== undefined && attributes[key] !== false) {
        element.setAttribute(key, attributes[key] === true ? "" : attributes[key]);
      }
    });
    CU.put(element, children);
    return element;
  };
  CU.put = function (element, children) {
    if (children === null || children === undefined) { return element; }
    (Array.isArray(children) ? children : [children]).forEach(function (child) {
      if (child === null || child === undefined) { return; }
      element.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
    });
    return element;
  };
  CU.clear = function (element) { element.replaceChildren(); return element; };
  CU.svg = function (tag, attributes) {
    var element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.keys(attributes || {}).forEach(function (key) { element.setAttribute(key, attributes[key]); });
    return element;
  };

  /* A status by shape and colour. */
  CU.shapes = { completed: "●", failed: "✕", running: "▶", queued: "◌", cancelled: "■" };
  CU.status = function (status) {
    var known = CU.shapes[status] ? status : "unknown";
    return CU.el("span", { class: "status status-" + known }, [CU.el("span", { "aria-hidden": "true" }, CU.shapes[known] || "○"), " " + (status || "not said")]);
  };

  /* Column name → position, for rows that are arrays. */
  CU.positions = function (names) {
    var found = {};
    names.forEach(function (name, position) { found[name] = position; });
    return found;
  };
  /* A word for a value that data names; the value itself where there is none. */
  CU.word = function (words, value) { return Object.prototype.hasOwnProperty.call(words, value) ? words[value] : value; };
  CU.part = function (key, part, letter) { return part === 0 ? key : key + "." + letter + part; };

  /* JSON whose numbers a browser would round: they come as their text. */
  CU.exactJson = function (text) {
    return JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, function (part) {
      return part[0] === '"' || part.replace(/\D/g, "").length <= 15 ? part : '"' + part + '"';
    }));
  };

  CU.remember = function (key, value) {
    try { window.localStorage.setItem(key, JSON.stringify(value)); } catch (error) { return false; /* storage is off: the choice lasts for this page */ }
    return true;
  };
  CU.recall = function (key) {
    try { return JSON.parse(window.localStorage.getItem(key)); } catch (error) { return null; /* storage is off or holds something else */ }
  };

  /* The address with one part set, or taken out where the value is null; the other parts stay. */
  CU.hashWith = function (name, value) {
    var parts = new URLSearchParams(location.hash.slice(1));
    if (value === null) { parts.delete(name); } else { parts.set(name, value); }
    return "#" + parts.toString();
  };

  /* MD5 of the UTF-8 text, first 28 bits: the same number that the chunks were divided by. */
  CU.shard = function (text, shards) {
    if (shards <= 1) { return 0; }
    return parseInt(CU.md5(text).slice(0, 7), 16) % shards;
  };
  CU.md5 = function (text) {
    var bytes = Array.from(new TextEncoder().encode(text));
    var bits = bytes.length * 8;
    bytes.push(128);
    while (bytes.length % 64 !== 56) { bytes.push(0); }
    for (var i = 0; i < 8; i += 1) { bytes.push(i < 4 ? (bits >>> (8 * i)) & 255 : Math.floor(bits / Math.pow(2, 8 * i)) & 255); }
    var shifts = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    var a0 = 0x67452301, b0 = 0xefcdab89, c0 = 0x98badcfe, d0 = 0x10325476;
    for (var start = 0; start < bytes.length; start += 64) {
      var words = [];
      for (var w = 0; w < 16; w += 1) {
        var at = start + w * 4;
        words.push(bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24));
      }
      var a = a0, b = b0, c = c0, d = d0;
      for (var step = 0; step < 64; step += 1) {
        var round = step >> 4, mix, pick;
        if (round === 0) { mix = (b & c) | (~b & d); pick = step; }
        else if (round === 1) { mix = (d & b) | (~d & c); pick = (5 * step + 1) % 16; }
        else if (round === 2) { mix = b ^ c ^ d; pick = (3 * step + 5) % 16; }
        else { mix = c ^ (b | ~d); pick = (7 * step) % 16; }
        var constant = Math.floor(Math.abs(Math.sin(step + 1)) * 4294967296) | 0;
        var sum = (a + mix + constant + words[pick]) | 0;
        var turn = shifts[round][step % 4];
        a = d; d = c; c = b;
        b = (b + ((sum << turn) | (sum >>> (32 - turn)))) | 0;
      }
      a0 = (a0 + a) | 0; b0 = (b0 + b) | 0; c0 = (c0 + c) | 0; d0 = (d0 + d) | 0;
    }
    return [a0, b0, c0, d0].map(function (word) {
      var text = "";
      for (var i = 0; i < 4; i += 1) { text += ((word >>> (8 * i)) & 255).toString(16).padStart(2, "0"); }
      return text;
    }).join("");
  };

  /* One shared breakdown box for every element that carries one: shown on hover and on focus, closed by Escape. */
  CU.peek = function (trigger, build) {
    function show() {
      hide();
      var box = CU.el("div", { class: "peek-box", role: "tooltip", id: "peek-box" }, build());
      (trigger.closest("dialog") || document.body).appendChild(box);
      trigger.setAttribute("aria-describedby", "peek-box");
      var place = trigger.getBoundingClientRect();
      var size = box.getBoundingClientRect();
      var left = Math.max(8, Math.min(place.right - size.width, window.innerWidth - size.width - 8));
      var top = place.bottom + 6;
      if (top + size.height > window.innerHeight - 8) { top = Math.max(8, place.top - size.height - 6); }
      box.style.left = left + "px";
      box.style.top = top + "px";
    }
    function hide() {
      var box = document.getElementById("peek-box");
      if (box) { box.remove(); }
      trigger.removeAttribute("aria-describedby");
    }
    trigger.addEventListener("mouseenter", show);
    trigger.addEventListener("mouseleave", hide);
    trigger.addEventListener("focus", show);
    trigger.addEventListener("blur", hide);
    trigger.addEventListener("keydown", function (event) {
      if (event.key === "Escape" && document.getElementById("peek-box")) { hide(); event.stopPropagation(); event.preventDefault(); }
    });
    return trigger;
  };
  /* Rows of [label, text, tone] as an aligned list; tone 'sum' draws a rule above. */
  CU.breakdown = function (title, rows) {
    var list = CU.el("dl", { class: "breakdown" });
    rows.forEach(function (row) {
      CU.put(list, [CU.el("dt", { class: row[2] || null }, row[0]), CU.el("dd", { class: row[2] || null }, row[1])]);
    });
    return [CU.el("strong", {}, title), list];
  };

  /* --- CSV: exact values; a cell that a spreadsheet would run as a formula starts with an apostrophe ------------- */
  CU.csvCell = function (value) {
    var text = value === null || value === undefined ? "" : String(value);
    if (/^[=+\-@\t\r\n＝＋－＠]/.test(text) && !/^-?\d+(\.\d+)?$|^[+-][\d,]+\.\d%$/.test(text)) { text = "'" + text; }
    return /[",\r\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  };
  CU.csv = function (rows) {
    return rows.map(function (row) { return row.map(CU.csvCell).join(","); }).join("\r\n") + "\r\n";
  };
  CU.download = function (name, text) {
    var link = CU.el("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" })), download: name });
    document.body.appendChild(link);
    link.click();
    link.remove();
    window.setTimeout(function () { URL.revokeObjectURL(link.href); }, 60000);
  };

  CU.debounce = function (wait, action) {
    var timer = 0;
    return function () { window.clearTimeout(timer); timer = window.setTimeout(action, wait); };
  };

  /* Stamps are in UTC in the file; a page shows them on its workspace's clock. */
  var stamps = window.CU_PUBLICATION || {};
  var words = { data_through_at: "Data through ", published_at: "Generated " };
  var zone = CU.config().time_zone || "UTC";
  document.querySelectorAll("[data-stamp]").forEach(function (element) {
    var name = element.getAttribute("data-stamp");
    var at = stamps[name] ? Date.parse(stamps[name].replace(" UTC", "Z").replace(" ", "T")) : null;
    element.textContent = words[name] + (at === null ? CU.format.MISSING : CU.format.moment(at, zone).slice(0, 16) + " " + zone);
    element.setAttribute("title", stamps[name] || "");
  });

  /* On a narrow page the navigation scrolls; the page that one is on stays in sight. */
  var here = document.querySelector("nav [aria-current]");
  if (here && here.offsetLeft + here.offsetWidth > here.closest("nav").clientWidth) { here.closest("nav").scrollLeft = here.offsetLeft - 24; }

  var theme = document.getElementById("theme");
  function showTheme() {
    var name = { system: "Auto", light: "Light", dark: "Dark" }[CU.theme.current()];
    theme.setAttribute("aria-label", "Theme: " + name);
    theme.querySelector(".theme-name").textContent = name;
  }
  if (theme) {
    showTheme();
    theme.addEventListener("click", function () {
      var names = CU.theme.names;
      CU.theme.choose(names[(names.indexOf(CU.theme.current()) + 1) % names.length]);
      showTheme();
    });
  }
})();
