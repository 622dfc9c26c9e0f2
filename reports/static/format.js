/* Twin of reports/format.py: same cases, same text (tests/browser compares them). No DOM here.
   Money is BigInt in units of 10^-12, so sums are exact. */
(function () {
  "use strict";
  var CU = (window.CU = window.CU || {});
  var MISSING = "—";
  var DIGITS = 12;
  var SCALE = 10n ** 12n;
  var UNITS = [[10n ** 12n, "T"], [10n ** 9n, "B"], [10n ** 6n, "M"], [1000n, "K"]];
  var MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

  function toScaled(text) {
    var match = /^(-?)(\d+)(?:\.(\d{0,12})0*)?$/.exec(String(text));
    if (!match) { throw new Error("not an amount with at most 12 decimals: " + text); }
    var value = BigInt(match[2]) * SCALE + BigInt((match[3] || "").padEnd(DIGITS, "0"));
    return match[1] ? -value : value;
  }

  function divideHalfEven(numerator, denominator) {
    var quotient = numerator / denominator;
    var rest = numerator % denominator;
    if (rest < 0n) { quotient -= 1n; rest += denominator; }
    var twice = rest * 2n;
    if (twice > denominator || (twice === denominator && quotient % 2n !== 0n)) { quotient += 1n; }
    return quotient;
  }

  function abs(value) { return value < 0n ? -value : value; }
  function group(value) {
    var text = String(value);
    var sign = "";
    if (text[0] === "-") { sign = "-"; text = text.slice(1); }
    return sign + text.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  }

  function fixed(scaled, decimals, least) {
    var rounded = divideHalfEven(scaled, 10n ** BigInt(DIGITS - decimals));
    var base = 10n ** BigInt(decimals);
    var text = decimals ? String(rounded % base).padStart(decimals, "0") : "";
    while (text.length > least && text.endsWith("0")) { text = text.slice(0, -1); }
    return group(rounded / base) + (text ? "." + text : "");
  }

  function amount(scaled) {
    var size = abs(scaled);
    var decimals;
    if (size >= SCALE || size === 0n) { decimals = 2; }
    else if (size >= SCALE / 100n) { decimals = 4; }
    else { decimals = Math.min(DIGITS, DIGITS - String(size).length + 3); }
    return fixed(size, decimals, 2);
  }

  function money(scaled) {
    if (scaled === null) { return MISSING; }
    return (scaled < 0n ? "-$" : "$") + amount(scaled);
  }
  function moneyExact(scaled) {
    if (scaled === null) { return MISSING; }
    return (scaled < 0n ? "-$" : "$") + fixed(abs(scaled), DIGITS, 2);
  }
  /* Several amounts with the same number of decimals, so that a column of them aligns. */
  function moneyAligned(list) {
    var texts = list.map(moneyExact);
    var most = texts.reduce(function (most, text) { return Math.max(most, text.length - text.indexOf(".") - 1); }, 2);
    return texts.map(function (text) { return text + "0".repeat(most - (text.length - text.indexOf(".") - 1)); });
  }
  /* Every digit without separators or a sign for the currency: for CSV. */
  function plainDecimal(scaled) {
    if (scaled === null) { return ""; }
    var size = abs(scaled);
    var part = String(size % SCALE).padStart(DIGITS, "0").replace(/0+$/, "");
    return (scaled < 0n ? "-" : "") + String(size / SCALE) + (part ? "." + part : "");
  }
  function credits(scaled) {
    if (scaled === null) { return MISSING; }
    return (scaled < 0n ? "-" : "") + fixed(abs(scaled), 6, 0);
  }
  function count(value) { return value === null ? MISSING : group(value); }

  function countShort(number) {
    if (number === null) { return MISSING; }
    var value = BigInt(number);
    var size = abs(value);
    var sign = value < 0n ? "-" : "";
    if (size < 10000n) { return group(value); }
    for (var i = 0; i < UNITS.length; i += 1) {
      var unit = UNITS[i][0];
      if (size < unit) { continue; }
      for (var decimals = 2; decimals >= 0; decimals -= 1) {
        var digits = divideHalfEven(size * 10n ** BigInt(decimals), unit);
        if (digits < 1000n) {
          var text = String(digits).padStart(decimals + 1, "0");
          var whole = decimals ? text.slice(0, -decimals) : text;
          var part = decimals ? text.slice(-decimals).replace(/0+$/, "") : "";
          return sign + whole + (part ? "." + part : "") + UNITS[i][1];
        }
      }
      if (i) { return sign + "1" + UNITS[i - 1][1]; }
      return sign + group(divideHalfEven(size, unit)) + UNITS[i][1];
    }
    return group(value);
  }

  /* What an amount lacks: in a table row, and beside a total. Unknown is never shown as free. */
  function unpricedShort(calls) { return Number(calls) ? " + " + count(calls) + " unpriced" : ""; }
  function unpriced(calls, tokens) {
    if (!Number(calls)) { return ""; }
    var volume = Number(tokens) ? countShort(tokens) + " token" + (Number(tokens) === 1 ? "" : "s") : "no tokens reported";
    return " + " + count(calls) + " unpriced call" + (Number(calls) === 1 ? "" : "s") + " (" + volume + ")";
  }

  function two(number) { return String(number).padStart(2, "0"); }
  function duration(milliseconds) {
    if (milliseconds === null) { return MISSING; }
    if (milliseconds < 0) { return "-" + duration(-milliseconds); }
    if (milliseconds < 1000) { return milliseconds + " ms"; }
    var ms = BigInt(milliseconds);
    var hundredths = Number(divideHalfEven(ms, 10n));
    if (hundredths < 6000) { return Math.floor(hundredths / 100) + "." + two(hundredths % 100) + " s"; }
    var seconds = Number(divideHalfEven(ms, 1000n));
    if (seconds < 3600) { return Math.floor(seconds / 60) + " m " + two(seconds % 60) + " s"; }
    var minutes = Number(divideHalfEven(ms, 60000n));
    return group(Math.floor(minutes / 60)) + " h " + two(minutes % 60) + " m";
  }

  function percent(numerator, denominator) {
    var top = BigInt(numerator);
    var bottom = BigInt(denominator);
    if (bottom <= 0n) { return MISSING; }
    if (top < 0n) { return "-" + percent(-top, bottom); }
    var tenths = divideHalfEven(top * 1000n, bottom);
    if (tenths === 0n && top) { return "<0.1%"; }
    if (tenths >= 1000n && top < bottom) { return ">99.9%"; }
    return group(tenths / 10n) + "." + (tenths % 10n) + "%";
  }
  function change(now, before) {
    var a = BigInt(now);
    var b = BigInt(before);
    if (b <= 0n) { return a > 0n ? "new" : "±0.0%"; }
    var tenths = divideHalfEven((a - b) * 1000n, b);
    var size = abs(tenths);
    return (tenths > 0n ? "+" : tenths < 0n ? "-" : "±") + group(size / 10n) + "." + (size % 10n) + "%";
  }

  var clocks = {};
  function moment(epochMs, timeZone) {
    if (epochMs === null) { return MISSING; }
    var clock = clocks[timeZone];
    if (!clock) {
      clock = clocks[timeZone] = new Intl.DateTimeFormat("en-US", {
        timeZone: timeZone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
        hour: "2-digit", minute: "2-digit", second: "2-digit"
      });
    }
    var parts = {};
    clock.formatToParts(new Date(epochMs)).forEach(function (part) { parts[part.type] = part.value; });
    return parts.year.padStart(4, "0") + "-" + parts.month + "-" + parts.day + " " + parts.hour + ":" + parts.minute + ":" + parts.second;
  }
  function dayShort(iso) { return Number(iso.slice(8, 10)) + " " + MONTHS[Number(iso.slice(5, 7)) - 1]; }
  function day(iso) { return iso === null ? MISSING : dayShort(iso) + " " + Number(iso.slice(0, 4)); }
  function dayRange(first, last) { return first === last ? day(first) : day(first) + " – " + day(last); }
  function dayRangeShort(first, last) {
    if (first === last) { return dayShort(first); }
    return first.slice(0, 7) === last.slice(0, 7) ? Number(first.slice(8, 10)) + "–" + dayShort(last) : dayShort(first) + " – " + dayShort(last);
  }
  function points(now, nowOf, before, beforeOf) {
    if (nowOf <= 0n || beforeOf <= 0n) { return ""; }
    var tenths = divideHalfEven(now * 1000n, nowOf) - divideHalfEven(before * 1000n, beforeOf);
    var size = abs(tenths);
    return (tenths > 0n ? "+" : tenths < 0n ? "-" : "±") + group(size / 10n) + "." + (size % 10n) + " pp";
  }
  function addDays(iso, days) {
    return new Date(Date.UTC(Number(iso.slice(0, 4)), Number(iso.slice(5, 7)) - 1, Number(iso.slice(8, 10)) + days)).toISOString().slice(0, 10);
  }

  CU.format = {
    MISSING: MISSING, SCALE: SCALE, toScaled: toScaled, divideHalfEven: divideHalfEven, money: money, moneyExact: moneyExact,
    moneyAligned: moneyAligned, plainDecimal: plainDecimal, credits: credits, count: count, countShort: countShort,
    unpricedShort: unpricedShort, unpriced: unpriced, duration: duration, percent: percent,
    change: change, moment: moment, day: day, dayShort: dayShort, dayRange: dayRange, dayRangeShort: dayRangeShort, points: points, addDays: addDays
  };
})();
