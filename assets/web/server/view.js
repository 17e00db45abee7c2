import { h } from "../core/dom.js";
import { ask_for_key, get_json, get_text } from "../core/server.js";
import { current_language, t } from "../core/words.js";
import { Spark } from "../drawer/spark.js";
import { Latencies } from "./latencies.js";
import { parse_metrics, value_of } from "./prometheus.js";

const every_ms = 2000;
const spark_samples = 150;

const whole = (number) => number.toLocaleString(current_language());
const rate = (bytes) => (bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB/s` : `${(bytes / 1000).toFixed(1)} kB/s`);

function time(ms) {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return t("server.minutes", { minutes });
  return minutes < 1440 ? t("server.hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 }) : t("server.days", { days: Math.floor(minutes / 1440), hours: Math.floor(minutes / 60) % 24 });
}

class Tile {
  constructor(key, with_spark = true) {
    this.value = h("p", { class: "tile-value" });
    this.text = h("p", { class: "small" });
    this.spark = with_spark ? new Spark(spark_samples, t(key)) : null;
    this.element = h("section", { class: "tile" }, h("h2", { t: key }), this.value, this.text, this.spark?.element ?? null);
  }

  show(value, text, sample, max) {
    this.value.textContent = value;
    this.text.textContent = text;
    if (sample !== undefined) this.spark?.push(sample, max);
  }
}

/// How the server does, at a glance: one sentence, six tiles, the latencies.
export async function mount(main) {
  document.title = `${t("nav.server")} · Repartee`;
  if (!document.querySelector('link[href="/web/style/server.css"]'))
    await new Promise((done) => document.head.append(h("link", { rel: "stylesheet", href: "/web/style/server.css", onload: done, onerror: done })));

  const verdict = h("h1", { class: "verdict", "aria-live": "polite" });
  const about = h("p", { class: "lead" });
  const tiles = { sessions: new Tile("server.sessions"), upstream: new Tile("server.upstream", false), warm: new Tile("server.warm", false), cpu: new Tile("server.cpu"), memory: new Tile("server.memory"), traffic: new Tile("server.traffic") };
  const latencies = new Latencies();
  const providers = h("div", { class: "providers" });
  const errors = h("div", { class: "errors" });
  main.append(h("section", { class: "server" }, h("div", { class: "hero" }, h("div", {}, verdict, about)),
    h("div", { class: "server-tiles" }, ...Object.values(tiles).map((tile) => tile.element)),
    h("h2", { class: "section-title", t: "server.latency" }), latencies.element,
    h("div", { class: "pair" }, h("section", {}, h("h2", { class: "section-title", t: "server.providers" }), providers), h("section", {}, h("h2", { class: "section-title", t: "server.errors" }), errors)),
    h("p", { class: "small", t: "server.sources" })));

  let before = null, timer = 0, over = false, asked = false;

  function say(level, text) {
    verdict.dataset.level = level;
    if (verdict.textContent !== text) verdict.textContent = text;
  }

  function show(status, families) {
    const now = { at: performance.now(), cpu: value_of(families, "process_cpu_seconds_total"), bytes: value_of(families, "repartee_client_bytes_total") };
    const seconds = before ? (now.at - before.at) / 1000 : 0;
    const { upstream, sessions } = status;
    const full = sessions.active >= sessions.max;
    say(status.draining || !upstream.ready ? "bad" : full ? "warn" : "good", t(status.draining ? "server.draining" : !upstream.ready ? "server.unready" : full ? "server.full" : "server.good"));
    about.textContent = t("server.about", { version: status.version, up: time(status.uptime_ms), cores: status.cores, characters: status.characters });
    tiles.sessions.show(whole(sessions.active), t("server.sessions.text", { max: whole(sessions.max), total: whole(sessions.total), connections: whole(status.connections.active) }), sessions.active, 4);
    tiles.upstream.show(t(upstream.ready ? "server.ready" : "server.not_ready"), t(upstream.kind === "local" ? "server.upstream.local" : "server.upstream.text", { model: upstream.model }));
    tiles.upstream.element.dataset.level = upstream.ready ? "good" : "bad";
    const leases = upstream.leases_warm + upstream.leases_cold;
    tiles.warm.show(upstream.kind === "local" ? "–" : whole(upstream.warm), upstream.kind === "local" ? t("server.warm.local") : leases ? t("server.warm.text", { share: Math.round((100 * upstream.leases_warm) / leases), leases: whole(leases) }) : t("server.warm.none"));
    if (before && seconds > 0) {
      const cpu = (100 * (now.cpu - before.cpu)) / seconds;
      tiles.cpu.show(`${cpu.toFixed(cpu < 10 ? 1 : 0)} %`, t("server.cpu.text", { cores: status.cores }), cpu, 5);
      const bytes = Math.max(0, (now.bytes - before.bytes) / seconds);
      tiles.traffic.show(rate(bytes), t("server.traffic.text"), bytes, 1000);
    } else {
      tiles.cpu.show("…", t("server.cpu.text", { cores: status.cores }));
      tiles.traffic.show("…", t("server.traffic.text"));
    }
    const memory = value_of(families, "process_resident_memory_bytes") / 1048576;
    tiles.memory.show(`${memory.toFixed(0)} MiB`, t("server.memory.text"), memory, memory * 1.25);
    before = now;
    latencies.take(families);
    show_providers(status, families);
    show_errors(families);
  }

  // Whatever /metrics counts by role belongs to a provider.
  function show_providers(status, families) {
    const roles = new Map();
    for (const [name, family] of families)
      for (const sample of family.samples) {
        const role = sample.labels.role ?? sample.labels.provider;
        if (!role || family.type === "histogram") continue;
        if (!roles.has(role)) roles.set(role, []);
        roles.get(role).push([name.replace(/^repartee_(provider_)?/, "").replace(/_total$/, "").replaceAll("_", " "), sample.value]);
      }
    const failed = value_of(families, "repartee_errors_total", { code: "provider_failed" });
    const rows = roles.size ? [...roles].map(([role, counts]) => [role, counts.map(([name, count]) => `${name} ${whole(count)}`).join(" · ")])
      : [[t(status.upstream.kind === "local" ? "server.engine" : "server.upstream"), t("server.provider_failures", { count: whole(failed), replies: whole(value_of(families, "repartee_responses_total")) })]];
    providers.replaceChildren(h("dl", { class: "facts" }, ...rows.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text)))));
  }

  function show_errors(families) {
    const list = (families.get("repartee_errors_total")?.samples ?? []).filter((sample) => sample.value > 0).sort((a, b) => b.value - a.value);
    errors.replaceChildren(list.length ? h("dl", { class: "facts" }, ...list.map((sample) => h("div", {}, h("dt", {}, h("code", {}, sample.labels.code)), h("dd", {}, whole(sample.value)))))
      : h("p", { class: "small" }, t("server.no_errors")));
  }

  async function look() {
    try {
      const [status, text] = await Promise.all([get_json("/api/v1/status"), get_text("/metrics")]);
      if (!over) show(status, parse_metrics(text));
    } catch (error) {
      if (over) return;
      before = null;
      if (error.status === 401 && !asked) {
        asked = true;
        if (await ask_for_key()) return look();
      }
      say("bad", error.status ? error.message : t("server.unreachable"));
    }
    if (!over) timer = setTimeout(look, every_ms);
  }

  const redraw = () => latencies.redraw();
  document.addEventListener("theme", redraw);
  await look();
  return () => {
    over = true;
    clearTimeout(timer);
    document.removeEventListener("theme", redraw);
  };
}
