/* Tables of daily figures that chunks keep by column: how they are summed. Whole numbers are added as numbers while these hold them
   exactly, and carried over into BigInt before they do not; a number that a browser cannot hold comes as text. No DOM here. */
(function () {
  "use strict";
  var CU = window.CU;
  var MOST = Number.MAX_SAFE_INTEGER;

  /* One exact sum for each of `size` places. */
  function Sums(size) { this.low = new Float64Array(size); this.high = null; }
  Sums.prototype.carry = function (place, value) {
    if (!this.high) { this.high = new Map(); }
    this.high.set(place, (this.high.get(place) || 0n) + value);
  };
  /* Adds rows `from` to `to` of a column; `places` says where each goes, -1 is nowhere. */
  Sums.prototype.add = function (column, places, from, to) {
    var low = this.low, i, place, sum;
    if (column.isZero) { return; }
    var values = column.values;
    if (column.isText) {
      for (i = from; i < to; i += 1) { if (places[i - from] >= 0) { this.carry(places[i - from], BigInt(values[i])); } }
      return;
    }
    for (i = from; i < to; i += 1) {
      place = places[i - from];
      if (place < 0) { continue; }
      sum = low[place] + values[i];
      if (sum > MOST || sum < -MOST) { this.carry(place, BigInt(low[place])); sum = values[i]; }
      low[place] = sum;
    }
  };
  Sums.prototype.get = function (place) {
    var value = BigInt(this.low[place]);
    return this.high && this.high.has(place) ? value + this.high.get(place) : value;
  };

  /* A list of a chunk; a single number stands for a list of equal ones. */
  function column(value, size) {
    if (value === undefined) { throw new Error("a chunk lacks a column"); }
    if (Array.isArray(value)) { return { values: value, isText: typeof value[0] === "string", isZero: false }; }
    return { values: value === 0 ? null : new Array(size).fill(value), isText: typeof value === "string", isZero: value === 0 };
  }
  function spread(value, size) { return Array.isArray(value) ? value : new Array(size).fill(value); }
  function sizeOf(data) {
    return Object.keys(data).reduce(function (most, name) { return name !== "keys" && name !== "values" && Array.isArray(data[name]) ? Math.max(most, data[name].length) : most; }, 1);
  }
  /* Rows are in the order of their days: where each day of the month begins. */
  function startsOf(days, size) {
    var starts = new Int32Array(34), day = 0;
    for (var i = 0; i < size; i += 1) { while (day < days[i]) { day += 1; starts[day] = i; } }
    while (day < 33) { day += 1; starts[day] = size; }
    return starts;
  }
  /* First row, and the row after the last, of a month's table within a range of days. */
  function slice(starts, month, first, last) {
    var begin = first.slice(0, 7) === month ? Number(first.slice(8, 10)) : 1;
    var end = last.slice(0, 7) === month ? Number(last.slice(8, 10)) : 31;
    return first.slice(0, 7) > month || last.slice(0, 7) < month ? [0, 0] : [starts[begin], starts[end + 1]];
  }

  /* The groups of one table over all months: each combination of keys has one place. */
  function Registry() { this.places = new Map(); this.keys = []; this.ids = []; }
  Registry.prototype.place = function (key) {
    var id = JSON.stringify(key);
    var place = this.places.get(id);
    if (place === undefined) { place = this.keys.length; this.places.set(id, place); this.keys.push(key); this.ids.push(id); }
    return place;
  };

  /* A month of a keyed table, or of histograms, made ready for sums. */
  function Table(month, data, registry, measures) {
    var size = measures ? sizeOf(data) : data.size.length;
    this.month = month;
    this.keys = data.keys;
    this.codes = spread(data.key, size);
    this.days = spread(data.day, size);
    this.starts = startsOf(this.days, size);
    this.places = Int32Array.from(data.keys, function (key) { return registry.place(key); });
    if (measures) {
      this.columns = {};
      measures.forEach(function (name) { this.columns[name] = column(data[name], size); }, this);
      return;
    }
    this.offsets = new Int32Array(size + 1);
    this.buckets = new Int32Array(data.bucket.length);
    this.counts = data.count;
    this.highest = 0;
    for (var row = 0, at = 0; row < size; row += 1) {
      for (var end = at + data.size[row], bucket = 0; at < end; at += 1) { bucket += data.bucket[at]; this.buckets[at] = bucket; }
      if (bucket > this.highest) { this.highest = bucket; }
      this.offsets[row + 1] = at;
    }
  }
  /* Where each row of a slice goes; -1 where `keep(key, month)` says no. */
  Table.prototype.rowPlaces = function (from, to, keep) {
    var places = this.places, month = this.month, codes = this.codes;
    if (keep) { places = Int32Array.from(this.keys, function (key, code) { return keep(key, month) ? places[code] : -1; }); }
    var found = new Int32Array(to - from);
    for (var i = from; i < to; i += 1) { found[i - from] = places[codes[i]]; }
    return found;
  };

  CU.store = {
    Sums: Sums, Registry: Registry, Table: Table, column: column, spread: spread, sizeOf: sizeOf, startsOf: startsOf, slice: slice,

    /* [{id, key, sums: {measure: BigInt}}] of the tables' rows within the range. With `daily`, a measure, also days: {day: BigInt}; with
       `highest`, a measure, also its highest value of a day. */
    groups: function (tables, registry, measures, first, last, options) {
      var size = registry.keys.length, seen = new Uint8Array(size), daily = options && options.daily, tops = options && options.highest ? new Float64Array(size) : null;
      var sums = measures.map(function () { return new Sums(size); });
      var days = [], byDay = null, place = {};
      if (daily) {
        for (var day = first; day <= last; day = CU.format.addDays(day, 1)) { place[day] = days.length; days.push(day); }
        byDay = new Sums(size * days.length);
      }
      tables.forEach(function (table) {
        var edges = slice(table.starts, table.month, first, last), from = edges[0], to = edges[1];
        if (from >= to) { return; }
        var places = table.rowPlaces(from, to, options && options.keep);
        for (var i = 0; i < places.length; i += 1) { if (places[i] >= 0) { seen[places[i]] = 1; } }
        measures.forEach(function (name, n) { sums[n].add(table.columns[name], places, from, to); });
        if (tops && !table.columns[options.highest].isZero) {
          for (i = 0; i < places.length; i += 1) { if (places[i] >= 0) { tops[places[i]] = Math.max(tops[places[i]], table.columns[options.highest].values[from + i]); } }
        }
        if (!daily) { return; }
        var dayPlaces = [];
        for (i = 1; i <= 31; i += 1) { dayPlaces[i] = place[table.month + "-" + String(i).padStart(2, "0")]; }
        for (i = 0; i < places.length; i += 1) { if (places[i] >= 0) { places[i] = places[i] * days.length + dayPlaces[table.days[from + i]]; } }
        byDay.add(table.columns[daily], places, from, to);
      });
      var found = [];
      for (var g = 0; g < size; g += 1) {
        if (!seen[g]) { continue; }
        var group = { id: registry.ids[g], key: registry.keys[g], sums: {} };
        for (var n = 0; n < measures.length; n += 1) { group.sums[measures[n]] = sums[n].get(g); }
        if (tops) { group.highest = tops[g]; }
        if (daily) {
          group.days = {};
          for (var d = 0; d < days.length; d += 1) { var value = byDay.get(g * days.length + d); if (value) { group.days[days[d]] = value; } }
        }
        found.push(group);
      }
      return found;
    },

    /* Map: id of a group → {percentile: milliseconds}, the middle of the bucket in which the nearest rank falls. */
    percentiles: function (tables, registry, percentiles, middle, first, last, keep) {
      var width = tables.reduce(function (most, table) { return Math.max(most, table.highest + 1); }, 1);
      var merged = registry.keys.map(function () { return null; });
      tables.forEach(function (table) {
        var edges = slice(table.starts, table.month, first, last);
        var places = table.rowPlaces(edges[0], edges[1], keep), buckets = table.buckets, counts = table.counts;
        for (var row = edges[0]; row < edges[1]; row += 1) {
          var place = places[row - edges[0]];
          if (place < 0) { continue; }
          var into = merged[place] || (merged[place] = new Float64Array(width));
          for (var i = table.offsets[row]; i < table.offsets[row + 1]; i += 1) { into[buckets[i]] += counts[i]; }
        }
      });
      var found = new Map();
      merged.forEach(function (counts, place) {
        if (!counts) { return; }
        var whole = counts.reduce(function (sum, count) { return sum + count; }, 0), seen = 0, bucket = -1, answers = {};
        percentiles.forEach(function (percentile) { /* ascending */
          var rank = Math.floor((whole * percentile + 99) / 100);
          while (seen < rank) { bucket += 1; seen += counts[bucket]; }
          answers[percentile] = middle(bucket);
        });
        found.set(registry.ids[place], answers);
      });
      return found;
    }
  };
})();
