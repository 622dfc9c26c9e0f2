// Scenarios of the Vercel AI SDK. Runs once per installed major release (folders node5, node6, node7; see README.md).
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import * as ai from "ai";
import { z } from "zod";
import { installed, main } from "./telemetry.mjs";

const major = installed("ai").split(".")[0];
const env = process.env;

const openai = createOpenAI({ apiKey: "sk-example", baseURL: `${env.PROVIDER_URL}/v1` });
const anthropic = createAnthropic({ apiKey: "sk-ant-example", baseURL: `${env.PROVIDER_URL}/v1` });
const telemetry = (functionId) => ({
  experimental_telemetry: { isEnabled: true, functionId, metadata: { userId: "ada", sessionId: "s1" } },
});
const tools = {
  get_weather: ai.tool({ description: "The weather", inputSchema: z.object({ city: z.string() }), execute: async () => "sunny" }),
};

async function calls(model) {
  await ai.generateText({ model, prompt: "hello", ...telemetry("plain") });
  await ai.generateText({ model, prompt: "weather ROUNDS=2", tools, stopWhen: ai.stepCountIs(4), ...telemetry("agent") });
  const stream = ai.streamText({ model, prompt: "stream weather", tools, stopWhen: ai.stepCountIs(3), ...telemetry("stream") });
  for await (const _ of stream.textStream);
  await ai.generateText({ model, prompt: "FAIL429", ...telemetry("retry") });
  await ai.generateText({ model, prompt: "BAD400", ...telemetry("error") }).catch(() => {});
  const helper = ai.tool({
    description: "Ask the helper",
    inputSchema: z.object({ question: z.string() }),
    execute: async ({ question }) =>
      (await ai.generateText({ model, prompt: question, tools, stopWhen: ai.stepCountIs(3), ...telemetry("helper") })).text,
  });
  await ai.generateText({ model, prompt: "delegate", tools: { ask_helper: helper }, stopWhen: ai.stepCountIs(3), ...telemetry("outer") });
  await Promise.all([1, 2, 3, 4].map(() => ai.generateText({ model, prompt: "EQUAL", ...telemetry("equal") })));
}

async function openaiCalls() {
  await calls(openai.chat("gpt-4o-mini"));
  await calls(openai.responses("gpt-5-mini"));
  const schema = z.object({ city: z.string() });
  if (ai.generateObject) await ai.generateObject({ model: openai.chat("gpt-4o-mini"), schema, prompt: "object", ...telemetry("object") });
  const embedder = openai.embedding ? openai.embedding("text-embedding-3-small") : openai.textEmbedding("text-embedding-3-small");
  await ai.embed({ model: embedder, value: "one", ...telemetry("embed") });
  await ai.embedMany({ model: embedder, values: ["one", "two"], ...telemetry("embed") });
}

const scenarios = {};
const known = (name, description, run, ...packages) => {
  scenarios[`vercel_ai${major}_${name}`] = { description, run, packages: ["ai", ...packages] };
};
const register = async (kind) => {
  const otel = await import("@ai-sdk/otel");
  ai.registerTelemetry(new otel[kind]());
};
if (major === "7") {
  known("openai", "Vercel AI SDK 7 and its OpenTelemetry integration, OpenAI", async () => (await register("OpenTelemetry"), await openaiCalls()), "@ai-sdk/openai", "@ai-sdk/otel");
  known("anthropic", "Vercel AI SDK 7 and its OpenTelemetry integration, Anthropic", async () => (await register("OpenTelemetry"), await calls(anthropic("claude-sonnet-4-5"))), "@ai-sdk/anthropic", "@ai-sdk/otel");
  known("legacy_openai", "Vercel AI SDK 7 and the integration that keeps the older names, OpenAI", async () => (await register("LegacyOpenTelemetry"), await openaiCalls()), "@ai-sdk/openai", "@ai-sdk/otel");
} else {
  known("openai", `Vercel AI SDK ${major}, OpenAI: steps, streams, nested agents, embeddings, errors`, openaiCalls, "@ai-sdk/openai");
  known("anthropic", `Vercel AI SDK ${major}, Anthropic: steps, streams, cache, errors`, () => calls(anthropic("claude-sonnet-4-5")), "@ai-sdk/anthropic");
}

await main(scenarios);
