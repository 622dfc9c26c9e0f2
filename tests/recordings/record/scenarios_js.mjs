// Scenarios of instrumentations for JavaScript (folder js1; see README.md).
import Anthropic from "@anthropic-ai/sdk";
import { AnthropicInstrumentation as OpenInferenceAnthropic } from "@arizeai/openinference-instrumentation-anthropic";
import { LangChainInstrumentation } from "@arizeai/openinference-instrumentation-langchain";
import { OpenAIInstrumentation as OpenInferenceOpenAI } from "@arizeai/openinference-instrumentation-openai";
import * as callbacks from "@langchain/core/callbacks/manager";
import { ChatOpenAI } from "@langchain/openai";
import { OpenAIInstrumentation as OpenLLMetryOpenAI } from "@traceloop/instrumentation-openai";
import OpenAI from "openai";
import { main } from "./telemetry.mjs";

const base = process.env.PROVIDER_URL;
const ask = (text) => [{ role: "user", content: text }];
const MINI = "gpt-4o-mini";
const THINKING = "gpt-5-mini";
const weather = {
  type: "function",
  function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } },
};

async function openaiCalls() {
  const client = new OpenAI({ apiKey: "sk-example", baseURL: `${base}/v1` });
  const create = (text, more = {}) => client.chat.completions.create({ model: MINI, messages: ask(text), ...more });
  await create("hello");
  await create("think", { model: THINKING });
  await create("weather", { tools: [weather] });
  for await (const _ of await create("stream", { stream: true, stream_options: { include_usage: true } }));
  await client.embeddings.create({ model: "text-embedding-3-small", input: "one" });
  await client.responses.create({ model: THINKING, input: "hello" });
  await create("FAIL429");
  await create("BAD400").catch(() => {});
  await Promise.all(Array.from({ length: 8 }, () => create("EQUAL")));
}

async function anthropicCalls() {
  const client = new Anthropic({ apiKey: "sk-ant-example", baseURL: base });
  const create = (text, more = {}) => client.messages.create({ model: "claude-sonnet-4-5", max_tokens: 100, messages: ask(text), ...more });
  await create("hello");
  await create("again");
  for await (const _ of await create("stream", { stream: true }));
  await create("FAIL500");
  await create("BAD400").catch(() => {});
}

const instrument = (instrumentation, provider, module) => {
  instrumentation.setTracerProvider(provider);
  instrumentation.manuallyInstrument(module);
};

await main({
  js_openai_openinference: {
    description: "OpenInference for JavaScript: OpenAI client",
    packages: ["openai", "@arizeai/openinference-instrumentation-openai"],
    run: async (provider) => (instrument(new OpenInferenceOpenAI(), provider, OpenAI), openaiCalls()),
  },
  js_openai_openllmetry: {
    description: "OpenLLMetry for JavaScript: OpenAI client",
    packages: ["openai", "@traceloop/instrumentation-openai"],
    run: async (provider) => (instrument(new OpenLLMetryOpenAI(), provider, OpenAI), openaiCalls()),
  },
  js_double_openai: {
    description: "One OpenAI client in JavaScript, given to OpenInference, then to OpenLLMetry, which takes its place",
    packages: ["openai", "@arizeai/openinference-instrumentation-openai", "@traceloop/instrumentation-openai"],
    run: async (provider) => {
      instrument(new OpenInferenceOpenAI(), provider, OpenAI);
      instrument(new OpenLLMetryOpenAI(), provider, OpenAI);
      await openaiCalls();
    },
  },
  js_anthropic_openinference: {
    description: "OpenInference for JavaScript: Anthropic client",
    packages: ["@anthropic-ai/sdk", "@arizeai/openinference-instrumentation-anthropic"],
    run: async (provider) => (instrument(new OpenInferenceAnthropic(), provider, Anthropic), anthropicCalls()),
  },
  js_langchain_and_openllmetry_openai: {
    description: "LangChain for JavaScript by OpenInference, its client by OpenLLMetry",
    packages: ["@langchain/core", "@langchain/openai", "@arizeai/openinference-instrumentation-langchain", "@traceloop/instrumentation-openai"],
    run: async (provider) => {
      instrument(new LangChainInstrumentation(), provider, callbacks);
      instrument(new OpenLLMetryOpenAI(), provider, OpenAI);
      const model = new ChatOpenAI({ model: THINKING, apiKey: "sk-example", configuration: { baseURL: `${base}/v1` } });
      await model.invoke("hello");
      for await (const _ of await model.stream("stream"));
      await model.batch(Array.from({ length: 8 }, (_, n) => `EQUAL ${n}`));
      await model.invoke("BAD400").catch(() => {});
    },
  },
});
