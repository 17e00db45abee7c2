const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const label = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/// Prometheus text → Map(family → { help, type, samples: [{ name, labels, value }] }).
export function parse_metrics(text) {
  const families = new Map();
  const family_of = (name) => {
    if (!families.has(name)) families.set(name, { help: "", type: "untyped", samples: [] });
    return families.get(name);
  };
  for (const row of text.split("\n")) {
    const about = /^# (HELP|TYPE) (\S+) (.*)$/.exec(row);
    if (about) family_of(about[2])[about[1].toLowerCase()] = about[3];
    const sample = row.startsWith("#") ? null : line.exec(row);
    if (!sample) continue;
    const base = sample[1].replace(/_(bucket|sum|count)$/, "");
    const name = families.get(base)?.type === "histogram" ? base : sample[1];
    const labels = Object.fromEntries([...(sample[2] ?? "").matchAll(label)].map((match) => [match[1], match[2]]));
    family_of(name).samples.push({ name: sample[1], labels, value: Number(sample[3]) });
  }
  return families;
}

/// One number; labels given must match. 0 when there is none.
export function value_of(families, name, labels = {}) {
  const found = families.get(name)?.samples.filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value)) ?? [];
  return found.reduce((sum, sample) => sum + sample.value, 0);
}

/// Histograms of a family, one a set of labels: [{ labels, bounds, counts (not cumulative) }].
export function histograms_of(family) {
  const sets = new Map();
  for (const sample of family.samples) {
    if (!sample.name.endsWith("_bucket")) continue;
    const { le, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    if (!sets.has(key)) sets.set(key, { labels, rows: [] });
    sets.get(key).rows.push([le === "+Inf" ? Infinity : Number(le), sample.value]);
  }
  return [...sets.values()].map(({ labels, rows }) => {
    rows.sort((a, b) => a[0] - b[0]);
    return { labels, bounds: rows.map(([bound]) => bound), counts: rows.map(([, sum], i) => sum - (rows[i - 1]?.[1] ?? 0)) };
  });
}

/// The value below which the share `q` of the counted lies, within its bucket by straight line; null when nothing was counted.
export function quantile(bounds, counts, q) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (!total) return null;
  let left = q * total;
  for (let i = 0; i < counts.length; i++) {
    if (left > counts[i] || !counts[i]) {
      left -= counts[i];
      continue;
    }
    const low = bounds[i - 1] ?? 0;
    return Number.isFinite(bounds[i]) ? low + ((bounds[i] - low) * left) / counts[i] : low;
  }
  return bounds.at(-2) ?? null;
}
