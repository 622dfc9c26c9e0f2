// What scenarios in JavaScript share: spans end up in a file as the Collector's file exporter writes them.
import { appendFileSync, readFileSync } from "node:fs";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const env = process.env;
export const installed = (name) => JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url))).version;

// The Collector writes 64-bit numbers as texts, leaves out what is nought, and knows no machine.
function collected(value, key) {
  if (Array.isArray(value)) return value.map((item) => collected(item));
  if (value && typeof value === "object") {
    const entries = Object.entries(value)
      .filter(([name, item]) => !(name.startsWith("dropped") && item === 0) && item !== undefined)
      .map(([name, item]) => [name, collected(item, name)]);
    return Object.fromEntries(entries);
  }
  if (key === "intValue") return String(value);
  if (typeof value === "string")
    return value.replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:8000").replace(/(file:\/\/)?\/(tmp|work|root|home)\/[\w./+@-]*/g, "example.js");
  return value;
}

const exporter = {
  export(spans, done) {
    const request = JSON.parse(Buffer.from(JsonTraceSerializer.serializeRequest(spans)).toString());
    appendFileSync(env.RECORDING, JSON.stringify(collected(request)) + "\n");
    done({ code: 0 });
  },
  async shutdown() {},
};

export function setup() {
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ "service.name": env.SCENARIO, "deployment.environment.name": "test" }),
    spanProcessors: [new BatchSpanProcessor(exporter, { scheduledDelayMillis: 100, maxExportBatchSize: 64 })],
  });
  provider.register();
  return provider;
}


// `--list` says what there is; a name runs it. Scenarios are name → {description, packages, run}.
export async function main(scenarios) {
  if (process.argv[2] === "--list") {
    const listed = Object.entries(scenarios).map(([name, { description, packages }]) => [
      name,
      { description, packages: Object.fromEntries(packages.map((p) => [p, installed(p)])) },
    ]);
    console.log(JSON.stringify(Object.fromEntries(listed)));
    return;
  }
  const provider = setup();
  await scenarios[process.argv[2]].run(provider);
  await provider.forceFlush();
  await provider.shutdown();
}
